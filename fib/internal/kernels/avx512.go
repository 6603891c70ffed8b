package main

import "fmt"

// avx512 looks up 64 addresses in 8 vectors of 8 lanes. A vector has two
// registers of its own: what is left of the addresses, and the words that they
// are at.
type avx512 struct {
	*emitter
	wide bool
}

const vectors512 = 8

func key(v int) string  { return fmt.Sprintf("Z%d", v) }
func word(v int) string { return fmt.Sprintf("Z%d", vectors512+v) }

// Registers of constants, and those free within a step. A step works on half of
// the vectors at a time: for each there are two registers more.
const (
	kidBit, notInner, tagMask, minusStride = "Z16", "Z17", "Z18", "Z19"

	t0, t1, t2, t3, t4, t5, t6, t7, t8, t9 = "Z20", "Z21", "Z22", "Z23", "Z24", "Z25", "Z26", "Z27", "Z28", "Z29"
	upper, lower                           = "Z30", "Z31"
)

func rest(v int) string { return fmt.Sprintf("Z%d", 20+v%half512) }
func bit(v int) string  { return fmt.Sprintf("Z%d", 24+v%half512) }
func mask(v int) string { return fmt.Sprintf("K%d", 1+v%half512) }

const half512 = vectors512 / 2

func (g avx512) each(do func(v int)) {
	for v := range vectors512 {
		do(v)
	}
}

func (g avx512) broadcast(name, register string) {
	g.line("VPBROADCASTQ %s<>(SB), %s", name, register)
}

// load loads the addresses of a vector, to t1 and t2.
func (g avx512) load(v int) {
	g.line("VMOVDQU64 %d(DX), %s", 128*v, t1)
	g.line("VMOVDQU64 %d(DX), %s", 128*v+64, t2)
}

func (g avx512) half(which, into string) {
	g.line("VMOVDQA64 %s, %s", t1, into)
	g.line("VPERMT2Q %s, %s, %s", t2, which, into)
}

func (g avx512) kernel() {
	fmt.Fprintf(g, "// func batchAVX512%s(mem, head *uint64, addrs *Addr, out *GroupID)\n", suffix(g.wide))
	fmt.Fprintf(g, "TEXT ·batchAVX512%s(SB), NOSPLIT, $0-32\n", suffix(g.wide))
	g.line("MOVQ mem+0(FP), SI")
	g.line("MOVQ head+8(FP), DI")
	g.line("MOVQ addrs+16(FP), DX")
	g.line("MOVQ out+24(FP), BX")
	g.broadcast("kidBit", kidBit)
	g.broadcast("notInner", notInner)
	g.broadcast("tagMask", tagMask)
	g.broadcast("minusStride", minusStride)
	g.begin()
	g.label("steps")
	g.line("XORL AX, AX")
	g.step("low", 0)
	g.step("high", half512)
	g.line("TESTL AX, AX")
	g.line("JNZ steps")
	g.skips()
	g.finish()
	g.label("store")
	g.broadcastD("one", t0)
	g.each(func(v int) {
		g.line("VPSUBD %s, %s, %s", y(t0), y(word(v)), y(word(v)))
		g.line("VMOVDQU32 %s, %d(BX)", y(word(v)), 32*v)
	})
	g.line("VZEROUPPER")
	g.line("RET")
	g.WriteString("\n")
}

// y is the lower half of a register.
func y(z string) string { return "Y" + z[1:] }

// begin takes all to their first words. The 16 roots are two registers.
func (g avx512) begin() {
	g.line("VMOVDQU64 0(DI), %s", t7)
	g.line("VMOVDQU64 64(DI), %s", t8)
	g.broadcast("sixtyFour", t9)
	g.line("VMOVDQU64 upper<>(SB), %s", upper)
	g.each(func(v int) {
		g.load(v)
		g.half(upper, key(v))
		g.line("VPSRLQ $%d, %s, %s", 64-rootBits, key(v), t0)
		g.line("VPERMI2Q %s, %s, %s", t8, t7, t0) // root
		g.line("VPSLLQ $%d, %s, %s", rootBits, key(v), key(v))
		g.line("VPANDQ %s, %s, %s", tagMask, t0, t3)
		g.line("VPSUBQ %s, %s, %s", t3, t9, t4)
		g.line("VPSRLVQ %s, %s, %s", t4, key(v), t4)
		g.line("VPSRLQ $%d, %s, %s", blockAt, t0, t0)
		g.line("VPADDQ %s, %s, %s", t4, t0, t0)
		g.line("VPSLLVQ %s, %s, %s", t3, key(v), key(v))
		g.line("KXNORW K1, K1, K1")
		g.line("VPGATHERQQ (SI)(%s*8), K1, %s", t0, word(v))
	})
}

// step takes those of a half that are at an inner word with a kid one word on,
// and sets AX if there was one.
//
// A key has zeros behind the last bit of it that counts, at least stride of them,
// and rotating it brings the slot there. Counts of rotations and of VPSHLDVQ are
// taken modulo 64: so a rotated key can stand for the slot, a word for its tag.
func (g avx512) step(name string, from int) {
	for v := from; v < from+half512; v++ {
		g.line("VPROLQ $%d, %s, %s", stride, key(v), rest(v))
		g.line("VPROLVQ %s, %s, %s", rest(v), kidBit, bit(v))
		g.line("VPTESTNMQ %s, %s, K5", notInner, word(v))
		g.line("VPTESTMQ %s, %s, K5, %s", bit(v), word(v), mask(v))
	}
	g.line("KORW K1, K2, K5")
	g.line("KORW K3, K4, K6")
	g.line("KORTESTW K5, K6")
	g.line("JZ %s", name)
	g.line("MOVL $1, AX")
	for v := from; v < from+half512; v++ {
		w, r, x, e, at := word(v), rest(v), bit(v), t8, t9
		g.line("VPSUBQ %s, %s, %s", kidBit, x, x)
		g.line("VPANDQ %s, %s, %s", w, x, x) // kids below slot
		g.line("VPOPCNTQ %s, %s", x, x)
		g.line("VPSHLDVQ %s, %s, %s", w, r, x) // 2^e words each, and e bits of key
		g.line("VPSRLQ $%d, %s, %s", blockAt, w, at)
		g.line("VPADDQ %s, %s, %s", at, x, x)
		g.line("VPANDQ %s, %s, %s", tagMask, w, e)
		g.line("VPANDQ %s, %s, %s", minusStride, r, r)
		g.line("VPSLLVQ %s, %s, %s, %s", e, r, mask(v), key(v))
		g.line("VPGATHERQQ (SI)(%s*8), %s, %s", x, mask(v), w)
	}
	g.label(name)
}

// skips takes those at a skip word on, and back to the steps.
func (g avx512) skips() {
	g.line("KXORW K3, K3, K3")
	g.each(func(v int) {
		g.atSkip(v)
		g.line("KORW K1, K3, K3")
	})
	g.line("KORTESTW K3, K3")
	g.line("JZ finish")
	g.broadcast("sixtyFour", t9)
	g.broadcast("byteMask", t8)
	g.line("VMOVDQU64 lower<>(SB), %s", lower)
	g.each(func(v int) {
		next := fmt.Sprintf("skipped%d", v)
		k, w := key(v), word(v)
		g.atSkip(v)
		g.line("KORTESTW K1, K1")
		g.line("JZ %s", next)
		g.load(v)
		g.half(upper, t3)
		g.half(lower, t4)
		g.line("VPSRLQ $%d, %s, %s", skipBitsAt, w, t1)
		g.line("VPANDQ %s, %s, %s", t8, t1, t1) // bits that have to agree
		g.line("VPSRLQ $%d, %s, %s", blockAt, w, t0)
		for i, register := range []string{t5, t6, t7, w} { // as word.go numbers them
			g.line("KMOVW K1, K2")
			g.line("VPGATHERQQ %d(SI)(%s*8), K2, %s", 8*i, t0, register)
		}
		// What differs, of the upper half in its first bits, and of the lower.
		g.line("VPXORQ %s, %s, %s", t3, t5, t5)
		g.line("VPXORQ %s, %s, %s", t4, t6, t6)
		g.line("VPSUBQ %s, %s, %s", t1, t9, t0) // 64 less bits
		g.line("VPXORQ %s, %s, %s", t2, t2, t2)
		g.line("VPMAXSQ %s, %s, %s", t2, t0, t2)
		g.line("VPSRLVQ %s, %s, %s", t2, t5, t5)
		g.line("VPADDQ %s, %s, %s", t9, t0, t2) // 128 less bits
		g.line("VPSRLVQ %s, %s, %s", t2, t6, t6)
		g.line("VPORQ %s, %s, %s", t5, t6, t6)
		g.line("VPTESTNMQ %s, %s, K1, K2", t6, t6) // those that agree
		// Their addresses from that bit on; a count beyond 63 leaves nothing.
		g.line("VPSLLVQ %s, %s, %s", t1, t3, t3)
		g.line("VPSRLVQ %s, %s, %s", t0, t4, t5)
		g.line("VPSUBQ %s, %s, %s", t9, t1, t1)
		g.line("VPSLLVQ %s, %s, %s", t1, t4, t4)
		g.line("VPTERNLOGQ $0xfe, %s, %s, %s", t5, t3, t4)
		g.line("VPANDQ %s, %s, K2, %s", minusStride, t4, k)
		g.line("VMOVDQA64 %s, K2, %s", t7, w)
		g.label(next)
	})
	g.line("JMP steps")
	g.label("finish")
}

// atSkip sets K1 for those at a skip word, whose tag is the bit alone that inner
// words do not have.
func (g avx512) atSkip(v int) {
	g.line("VPANDQ %s, %s, %s", tagMask, word(v), t0)
	g.line("VPCMPEQQ %s, %s, K1", notInner, t0)
}

// finish turns words into codes, in the lower half of their registers. Where all
// words are of one kind, which is so for whole tables, it does only what that
// kind needs.
func (g avx512) finish() {
	g.line("VMOVDQA64 %s, %s", word(0), t0)
	g.line("VMOVDQA64 %s, %s", word(0), t1)
	for v := 1; v < vectors512; v++ {
		g.line("VPORQ %s, %s, %s", word(v), t0, t0)
		g.line("VPANDQ %s, %s, %s", word(v), t1, t1)
	}
	g.line("VPTESTMQ %s, %s, K1", notInner, t0)  // is one not inner?
	g.line("VPTESTNMQ %s, %s, K2", notInner, t1) // is one inner?
	g.constants()
	g.line("KORTESTW K1, K1")
	g.line("JZ leaves")
	g.line("KORTESTW K2, K2")
	g.line("JZ lones")
	g.each(func(v int) {
		g.line("VPTESTNMQ %s, %s, K1", notInner, word(v))
		g.leaf(v, t3)
		g.lone(v)
		g.line("VMOVDQA32 %s, K1, %s", y(t3), y(word(v)))
		g.least(v)
	})
	g.line("JMP codes")
	g.label("leaves")
	g.each(func(v int) {
		g.line("KXNORW K1, K1, K1")
		g.leaf(v, word(v))
		g.least(v)
	})
	g.line("JMP codes")
	g.label("lones")
	g.each(func(v int) {
		g.line("KXORW K1, K1, K1")
		g.lone(v)
		g.least(v)
	})
	g.label("codes")
	g.line("VPTESTNMD %s, %s, K1", y(t9), y(t9))
	g.line("KORTESTB K1, K1")
	g.line("JZ store")
	g.shorts()
}

// Registers of constants at the end.
const (
	startsBit, startsNext, minusEight = "Z16", "Z19", "Z31"
	codeMask, blockMask               = "Z30", "Z30"
	atInside, atOutside               = t0, t1
	least                             = t9
)

func (g avx512) constants() {
	g.broadcast("startsBit", startsBit)
	g.broadcast("startsNext", startsNext)
	g.broadcast("minusEight", minusEight)
	g.broadcast("minusOne", least)
	if g.wide {
		g.broadcast("blockMask", blockMask)
		return
	}
	g.broadcast("codeMasks", codeMask)
	g.broadcast("insideAt", atInside)
	g.broadcast("outsideAt", atOutside)
}

// least keeps the least code: 0 if one is missing.
func (g avx512) least(v int) {
	g.line("VPMINUD %s, %s, %s", y(word(v)), y(least), y(least))
}

// leaf loads the leaves of those in K1, which are at an inner word.
func (g avx512) leaf(v int, into string) {
	g.line("VPROLQ $%d, %s, %s", stride, key(v), t4)
	g.line("VPROLVQ %s, %s, %s", t4, startsNext, t4)
	g.line("VPSUBQ %s, %s, %s", startsBit, t4, t4)
	g.line("VPANDQ %s, %s, %s", word(v), t4, t4) // starts up to slot
	g.line("VPOPCNTQ %s, %s", t4, t4)
	g.line("VPSRLQ $%d, %s, %s", blockAt-3, word(v), t5)
	g.line("VPANDQ %s, %s, %s", minusEight, t5, t5) // block, in bytes
	if g.wide {
		g.line("VPSLLQ $2, %s, %s", t4, t4)
	} else {
		g.line("VPADDQ %s, %s, %s", t4, t4, t4)
	}
	g.line("VPSUBQ %s, %s, %s", t4, t5, t5)
	g.line("KMOVW K1, K2")
	g.line("VPGATHERQD (SI)(%s*1), K2, %s", t5, y(into))
	if !g.wide {
		g.line("VPANDD %s, %s, %s", y(codeMask), y(into), y(into))
	}
}

// lone finds the codes of those that are not in K1, which are at a lone word.
func (g avx512) lone(v int) {
	w := word(v)
	g.line("VPXORQ %s, %s, %s", key(v), w, t5)
	g.line("VPANDQ %s, %s, %s", tagMask, w, t6)
	g.line("VPSRLVQ %s, %s, %s", t6, t5, t5)
	g.line("VPTESTNMQ %s, %s, K3", t5, t5) // does its prefix cover the address?
	if g.wide {
		g.line("VPSRLQ $%d, %s, %s", wideAt, w, t6)
		g.line("VPANDQ %s, %s, %s", blockMask, t6, t6)
		g.line("KNOTW K1, K2")
		g.line("VPGATHERQQ (SI)(%s*8), K2, %s", t6, t7) // both codes
		g.line("VPSRLQ $32, %s, %s", t7, w)
		g.line("VMOVDQA64 %s, K3, %s", t7, w)
	} else {
		g.line("VPBLENDMQ %s, %s, K3, %s", atInside, atOutside, t6)
		g.line("VPSRLVQ %s, %s, %s", t6, w, w)
		g.line("VPANDQ %s, %s, %s", codeMask, w, w)
	}
	g.line("VPMOVQD %s, %s", w, y(w))
}

// shorts looks those up that no longer prefix covers.
func (g avx512) shorts() {
	g.line("VMOVDQU64 upper<>(SB), %s", upper)
	g.line("VPBROADCASTD %d(DI), %s", 8*defaultAt, y(t8))
	g.broadcastD("one", t9)
	g.each(func(v int) {
		w := y(word(v))
		g.load(v)
		g.half(upper, t3)
		g.line("VPSRLQ $%d, %s, %s", 64-shortBits, t3, t3)
		g.line("VPTESTNMD %s, %s, K1", w, w)
		g.line("VPGATHERQD %d(DI)(%s*4), K1, %s", 8*shortsAt, t3, w)
		g.line("VPTESTNMD %s, %s, K1", w, w)
		g.line("VMOVDQA32 %s, K1, %s", y(t8), w)
		g.line("VPMAXUD %s, %s, %s", y(t9), w, w)
	})
}

func (g avx512) broadcastD(name, register string) {
	g.line("VPBROADCASTD %s<>(SB), %s", name, y(register))
}
