package main

import "fmt"

// avx2 looks up 16 addresses in 4 vectors of 4 lanes. It has neither masks nor a
// count of bits: a mask is a vector of signs, bits are counted by a table of
// nibbles.
type avx2 struct {
	*emitter
	wide bool
}

const vectors2 = 4

func key2(v int) string  { return fmt.Sprintf("Y%d", v) }
func word2(v int) string { return fmt.Sprintf("Y%d", vectors2+v) }

// Registers free within a step.
const y0, y1, y2, y3, y4, y5, y6, y7 = "Y8", "Y9", "Y10", "Y11", "Y12", "Y13", "Y14", "Y15"

func (g avx2) each(do func(v int)) {
	for v := range vectors2 {
		do(v)
	}
}

func (g avx2) kernel() {
	fmt.Fprintf(g, "// func batchAVX2%s(mem, head *uint64, addrs *Addr, out *GroupID)\n", suffix(g.wide))
	fmt.Fprintf(g, "TEXT ·batchAVX2%s(SB), NOSPLIT, $0-32\n", suffix(g.wide))
	g.line("MOVQ mem+0(FP), SI")
	g.line("MOVQ head+8(FP), DI")
	g.line("MOVQ addrs+16(FP), DX")
	g.line("MOVQ out+24(FP), BX")
	g.begin()
	g.step(false)
	g.step(false)
	g.label("steps")
	g.step(true)
	g.line("TESTL CX, CX")
	g.line("JNZ steps")
	g.skips()
	g.finish()
	g.line("VZEROUPPER")
	g.line("RET")
	g.WriteString("\n")
}

// half loads one half of the addresses of a vector.
func (g avx2) half(v int, unpack, into, spare string) {
	g.line("VMOVDQU %d(DX), %s", 64*v, into)
	g.line("VMOVDQU %d(DX), %s", 64*v+32, spare)
	g.line("%s %s, %s, %s", unpack, spare, into, into) // addresses 0, 2, 1, 3
	g.line("VPERMQ $0xd8, %s, %s", into, into)
}

const upperHalves, lowerHalves = "VPUNPCKLQDQ", "VPUNPCKHQDQ"

func (g avx2) begin() {
	g.each(func(v int) {
		k := key2(v)
		g.half(v, upperHalves, k, y0)
		g.line("VPSRLQ $%d, %s, %s", 64-rootBits, k, y0)
		g.line("VPCMPEQD %s, %s, %s", y1, y1, y1)
		g.line("VPGATHERQQ %s, (DI)(%s*8), %s", y1, y0, y2) // root
		g.line("VPSLLQ $%d, %s, %s", rootBits, k, k)
		g.line("VPAND tagMask<>(SB), %s, %s", y2, y3)
		g.line("VMOVDQU sixtyFour<>(SB), %s", y4)
		g.line("VPSUBQ %s, %s, %s", y3, y4, y4)
		g.line("VPSRLVQ %s, %s, %s", y4, k, y4)
		g.line("VPSRLQ $%d, %s, %s", blockAt, y2, y2)
		g.line("VPADDQ %s, %s, %s", y4, y2, y2)
		g.line("VPSLLVQ %s, %s, %s", y3, k, k)
		g.line("VPCMPEQD %s, %s, %s", y1, y1, y1)
		g.line("VPGATHERQQ %s, (SI)(%s*8), %s", y1, y2, word2(v))
	})
}

// step takes those at an inner word with a kid one word on. If test is set, CX
// is not 0 if there was one.
func (g avx2) step(test bool) {
	if test {
		g.line("XORL CX, CX")
	}
	g.each(func(v int) {
		k, w := key2(v), word2(v)
		g.line("VPSRLQ $%d, %s, %s", 64-stride, k, y0) // slot
		g.line("VPSRLVQ %s, %s, %s", y0, w, y1)
		g.line("VPSLLQ $%d, %s, %s", 63-kidsAt, y1, y1) // has it a kid?
		g.line("VPSLLQ $58, %s, %s", w, y2)             // and is it no inner word?
		g.line("VPANDN %s, %s, %s", y1, y2, y1)
		if test {
			g.line("VMOVMSKPD %s, AX", y1)
			g.line("ORL AX, CX")
		}
		g.line("VMOVDQU minusOne<>(SB), %s", y2)
		g.line("VPSLLVQ %s, %s, %s", y0, y2, y2) // bits from slot on
		g.line("VPSRLQ $%d, %s, %s", kidsAt, w, y3)
		g.line("VPANDN %s, %s, %s", y3, y2, y2) // kids below slot
		g.count(y2, y3, y4)
		g.line("VPAND tagMask<>(SB), %s, %s", w, y3)
		g.line("VPSLLVQ %s, %s, %s", y3, y2, y2)
		g.line("VPSLLQ $%d, %s, %s", stride, k, y4)
		g.line("VMOVDQU sixtyFour<>(SB), %s", y5)
		g.line("VPSUBQ %s, %s, %s", y3, y5, y5)
		g.line("VPSRLVQ %s, %s, %s", y5, y4, y5)
		g.line("VPADDQ %s, %s, %s", y5, y2, y2)
		g.line("VPSRLQ $%d, %s, %s", blockAt, w, y5)
		g.line("VPADDQ %s, %s, %s", y5, y2, y2)
		g.line("VPSLLVQ %s, %s, %s", y3, y4, y4)
		g.line("VBLENDVPD %s, %s, %s, %s", y1, y4, k, k)
		g.line("VPGATHERQQ %s, (SI)(%s*8), %s", y1, y2, w)
	})
}

// count counts the bits of each lane.
func (g avx2) count(x, spare, spare2 string) {
	g.line("VMOVDQU popcounts<>(SB), %s", y7)
	g.line("VPAND nibbles<>(SB), %s, %s", x, spare)
	g.line("VPSRLQ $4, %s, %s", x, spare2)
	g.line("VPAND nibbles<>(SB), %s, %s", spare2, spare2)
	g.line("VPSHUFB %s, %s, %s", spare, y7, spare)
	g.line("VPSHUFB %s, %s, %s", spare2, y7, spare2)
	g.line("VPADDB %s, %s, %s", spare, spare2, spare)
	g.line("VPXOR %s, %s, %s", spare2, spare2, spare2)
	g.line("VPSADBW %s, %s, %s", spare2, spare, x)
}

func (g avx2) atSkip(v int, into string) {
	g.line("VPAND tagMask<>(SB), %s, %s", word2(v), into)
	g.line("VPCMPEQQ notInner<>(SB), %s, %s", into, into)
}

// skips takes those at a skip word on, and back to the steps.
func (g avx2) skips() {
	g.line("VPXOR %s, %s, %s", y1, y1, y1)
	g.each(func(v int) {
		g.atSkip(v, y0)
		g.line("VPOR %s, %s, %s", y0, y1, y1)
	})
	g.line("VPTEST %s, %s", y1, y1)
	g.line("JZ finish")
	g.each(func(v int) {
		next := fmt.Sprintf("skipped%d", v)
		k, w := key2(v), word2(v)
		g.atSkip(v, y0)
		g.line("VPTEST %s, %s", y0, y0)
		g.line("JZ %s", next)
		g.line("VPSRLQ $%d, %s, %s", skipBitsAt, w, y1)
		g.line("VPAND byteMask<>(SB), %s, %s", y1, y1) // bits that have to agree
		g.line("VPSRLQ $%d, %s, %s", blockAt, w, y2)
		gather := func(i int, into string) {
			g.line("VMOVDQA %s, %s", y0, y7)
			g.line("VPGATHERQQ %s, %d(SI)(%s*8), %s", y7, 8*i, y2, into)
		}
		gather(0, y3)
		gather(1, y4)
		g.half(v, upperHalves, y5, y7)
		g.half(v, lowerHalves, y6, y7)
		g.line("VPXOR %s, %s, %s", y5, y3, y3) // what differs
		g.line("VPXOR %s, %s, %s", y6, y4, y4)
		gather(3, w) // as if none agreed; y5 and y6 are the address
		// The upper half in its first bits: a count below 0 is taken for 0.
		g.line("VMOVDQU sixtyFour<>(SB), %s", y7)
		g.line("VPSUBQ %s, %s, %s", y1, y7, y7)
		g.line("VPSLLVQ %s, %s, %s", y1, y5, y5) // and the key, part by part
		g.line("VBLENDVPD %s, zero<>(SB), %s, %s", y7, y7, y7)
		g.line("VPSRLVQ %s, %s, %s", y7, y3, y3)
		g.line("VMOVDQU oneTwentyEight<>(SB), %s", y7)
		g.line("VPSUBQ %s, %s, %s", y1, y7, y7)
		g.line("VPSRLVQ %s, %s, %s", y7, y4, y4)
		g.line("VPOR %s, %s, %s", y3, y4, y4)
		g.line("VPXOR %s, %s, %s", y3, y3, y3)
		g.line("VPCMPEQQ %s, %s, %s", y3, y4, y4)
		g.line("VPAND %s, %s, %s", y4, y0, y0) // those that agree
		g.line("VMOVDQU sixtyFour<>(SB), %s", y7)
		g.line("VPSUBQ %s, %s, %s", y1, y7, y3)
		g.line("VPSRLVQ %s, %s, %s", y3, y6, y3)
		g.line("VPOR %s, %s, %s", y3, y5, y5)
		g.line("VPSUBQ %s, %s, %s", y7, y1, y1)
		g.line("VPSLLVQ %s, %s, %s", y1, y6, y6)
		g.line("VPOR %s, %s, %s", y6, y5, y5)
		g.line("VBLENDVPD %s, %s, %s, %s", y0, y5, k, k)
		g.line("VPGATHERQQ %s, 16(SI)(%s*8), %s", y0, y2, w)
		g.label(next)
	})
	g.line("JMP steps")
	g.label("finish")
}

// finish turns words into codes and codes into groups.
func (g avx2) finish() {
	g.line("VPXOR %s, %s, %s", y6, y6, y6)
	g.each(func(v int) {
		g.code(v)
		g.line("VPXOR %s, %s, %s", y1, y1, y1)
		g.line("VPCMPEQQ %s, %s, %s", y1, word2(v), y1)
		g.line("VPOR %s, %s, %s", y1, y6, y6)
	})
	g.line("VPTEST %s, %s", y6, y6)
	g.line("JZ store")
	g.shorts()
	g.label("store")
	g.each(func(v int) {
		w := word2(v)
		g.line("VPSHUFD $0x88, %s, %s", w, w)
		g.line("VPERMQ $0x08, %s, %s", w, w)
		g.line("VMOVDQU one<>(SB), %s", y0)
		g.line("VPSHUFD $0x00, %s, %s", y0, y0)
		g.line("VPMAXUD X8, X%d, X%d", vectors2+v, vectors2+v)
		g.line("VPSUBD X8, X%d, X%d", vectors2+v, vectors2+v)
		g.line("VMOVDQU X%d, %d(BX)", vectors2+v, 16*v)
	})
}

// code finds the codes of those at an inner word in their leaves, of the others
// in or by their words.
func (g avx2) code(v int) {
	k, w := key2(v), word2(v)
	size := 2
	if g.wide {
		size = 4
	}
	g.line("VPSRLQ $%d, %s, %s", 64-stride, k, y0)
	g.line("VMOVDQU startsOver<>(SB), %s", y1)
	g.line("VPSLLVQ %s, %s, %s", y0, y1, y1)
	g.line("VPANDN %s, %s, %s", w, y1, y1)
	g.line("VPSRLQ $%d, %s, %s", startsAt, y1, y1) // starts up to slot
	g.count(y1, y2, y3)
	g.line("VPSRLQ $%d, %s, %s", blockAt, w, y2)
	g.line("VPSLLQ $3, %s, %s", y2, y2)
	g.line("VPSLLQ $%d, %s, %s", size/2, y1, y1)
	g.line("VPSUBQ %s, %s, %s", y1, y2, y2)
	g.line("VPAND notInner<>(SB), %s, %s", w, y0)
	g.line("VPXOR %s, %s, %s", y3, y3, y3)
	g.line("VPCMPEQQ %s, %s, %s", y3, y0, y0) // inner
	g.line("VMOVDQA %s, %s", y0, y1)
	g.line("VPGATHERQQ %s, %d(SI)(%s*1), %s", y1, size-8, y2, y3)
	g.line("VPSRLQ $%d, %s, %s", 64-8*size, y3, y3)
	g.line("VPXOR %s, %s, %s", k, w, y1)
	g.line("VPAND tagMask<>(SB), %s, %s", w, y2)
	g.line("VPSRLVQ %s, %s, %s", y2, y1, y1)
	g.line("VPXOR %s, %s, %s", y2, y2, y2)
	g.line("VPCMPEQQ %s, %s, %s", y2, y1, y1) // inside
	if g.wide {
		g.line("VPSRLQ $%d, %s, %s", wideAt, w, y2)
		g.line("VPAND blockMask<>(SB), %s, %s", y2, y2)
		g.line("VPCMPEQD %s, %s, %s", y4, y4, y4)
		g.line("VPXOR %s, %s, %s", y4, y0, y4) // not inner
		g.line("VPGATHERQQ %s, (SI)(%s*8), %s", y4, y2, w)
		g.line("VPSRLQ $32, %s, %s", w, y4)
		g.line("VPAND wideMask<>(SB), %s, %s", w, y5)
	} else {
		g.line("VPSRLQ $%d, %s, %s", kidsAt, w, y4)
		g.line("VPAND codeMask<>(SB), %s, %s", y4, y4)
		g.line("VPSRLQ $%d, %s, %s", startsAt, w, y5)
		g.line("VPAND codeMask<>(SB), %s, %s", y5, y5)
	}
	g.line("VBLENDVPD %s, %s, %s, %s", y1, y5, y4, w)
	g.line("VBLENDVPD %s, %s, %s, %s", y0, y3, w, w)
}

// shorts looks those up that no longer prefix covers.
func (g avx2) shorts() {
	g.line("VPBROADCASTQ %d(DI), %s", 8*defaultAt, y5)
	g.each(func(v int) {
		w := word2(v)
		g.half(v, upperHalves, y0, y1)
		g.line("VPSRLQ $%d, %s, %s", 64-shortBits, y0, y0)
		g.line("VPXOR %s, %s, %s", y2, y2, y2)
		g.line("VPCMPEQQ %s, %s, %s", y2, w, y1)
		g.line("VPGATHERQQ %s, %d(DI)(%s*4), %s", y1, 8*shortsAt, y0, w)
		g.line("VPAND wideMask<>(SB), %s, %s", w, w)
		g.line("VPCMPEQQ %s, %s, %s", y2, w, y1)
		g.line("VBLENDVPD %s, %s, %s, %s", y1, y5, w, w)
	})
}
