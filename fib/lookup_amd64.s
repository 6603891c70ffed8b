#include "textflag.h"

// A lookup of one address, for processors with BMI2 and POPCNT; lookup.go has it
// in Go. Shifts by SHLX and SHRX take their count modulo 64, so that a word can
// stand for its tag, and its complement for 63 less its tag.
//
// A step has no branch: the address that has arrived loads its word again. The
// first steps are taken without asking whether they are needed, because a branch
// that cannot be foreseen costs more, and keeps the processor from beginning
// with the next address.
//
//	SI mem   DI head   R8, R9 address
//	R10 key: what is left of the address, at least 4 bits of it zero
//	R11 at: the index of the word   R12 the word

// CHECK sets NE if the word has a kid where the key leads. AX is the key turned
// by a slot: the slot is below, what comes next above.
#define CHECK \
	RORXQ $60, R10, AX \
	SHRXQ AX, R12, DX  \
	SHRQ  $1, DX       \ // bit 5: has it a kid?
	ANDNQ DX, R12, DX  \ // and is it an inner word?
	TESTQ $32, DX

// GO takes the way to the kid, if NE says that there is one.
#define GO \
	MOVQ    R12, R13       \
	MOVQ    R12, BX        \
	MOVQ    R12, CX        \
	SHRQ    $6, R13        \
	BZHIQ   AX, R13, R13   \ // kids below slot
	POPCNTQ R13, R13       \
	SHLXQ   R12, R13, R13  \
	ANDQ    $~15, AX       \
	NOTQ    BX             \
	SHRQ    $38, CX        \
	ADDQ    CX, R13        \
	LEAQ    (AX*1), CX     \
	SHRQ    $1, CX         \
	SHRXQ   BX, CX, CX     \ // the first bits of what comes next
	SHLXQ   R12, AX, AX    \
	ADDQ    CX, R13        \
	TESTQ   $32, DX        \
	CMOVQNE R13, R11       \
	CMOVQNE AX, R10        \
	MOVQ    (SI)(R11*8), R12

// func lookupBMI2(mem, head *uint64, hi, lo uint64) uint32
TEXT ·lookupBMI2(SB), NOSPLIT, $0-36
	MOVQ  mem+0(FP), SI
	MOVQ  head+8(FP), DI
	MOVQ  hi+16(FP), R8
	MOVQ  R8, AX
	SHRQ  $60, AX
	MOVQ  (DI)(AX*8), BX // root
	MOVQ  R8, R10
	SHLQ  $4, R10
	MOVQ  R10, DX
	SHRQ  $1, DX
	MOVQ  BX, CX
	NOTQ  CX
	SHRXQ CX, DX, R11
	SHLXQ BX, R10, R10
	SHRQ  $38, BX
	ADDQ  BX, R11
	MOVQ  (SI)(R11*8), R12

steps:
	CHECK
	GO
	CHECK
	GO
	CHECK
	GO

more:
	CHECK
	JEQ arrived
	GO
	JMP more

arrived:
	MOVQ  R12, CX
	ANDL  $63, CX
	CMPL  CX, $32
	JEQ   skip

	// The leaf, or if it is no inner word, the word itself once more.
	RORXQ   $60, R10, AX
	INCL    AX
	MOVQ    R12, R13
	SHRQ    $22, R13
	BZHIQ   AX, R13, R13 // starts up to slot
	POPCNTQ R13, R13
	MOVQ    R12, DX
	SHRQ    $35, DX
	ANDQ    $~7, DX
	SUBQ    R13, DX
	SUBQ    R13, DX
	LEAQ    (R11*8), CX
	BTQ     $5, R12
	CMOVQCS CX, DX
	MOVWLZX (SI)(DX*1), R13

	// The code of a lone word.
	MOVQ    R10, CX
	XORQ    R12, CX
	MOVL    $22, BX
	MOVL    $6, DX
	SHRXQ   R12, CX, CX
	TESTQ   CX, CX
	CMOVQNE DX, BX
	SHRXQ   BX, R12, BX
	MOVWLZX BX, BX
	BTQ     $5, R12
	CMOVQCS BX, R13

	TESTL R13, R13
	JEQ   shorts
	MOVL  R13, ret+32(FP)
	RET

shorts:
	MOVQ  R8, AX
	SHRQ  $52, AX
	MOVL  512(DI)(AX*4), R13
	TESTL R13, R13
	JNE   done
	MOVL  128(DI), R13

done:
	MOVL R13, ret+32(FP)
	RET

skip:
	MOVQ R12, R11
	SHRQ $38, R11
	MOVQ lo+24(FP), R9
	MOVQ R12, CX
	SHRQ $6, CX
	ANDL $255, CX           // bits that have to agree
	MOVQ (SI)(R11*8), AX
	XORQ R8, AX
	MOVQ 8(SI)(R11*8), DX
	XORQ R9, DX
	MOVQ CX, BX
	NEGQ BX                 // 64 less, modulo 64
	CMPL CX, $64
	JCC  low
	SHRXQ BX, AX, AX
	SHLXQ CX, R8, R10
	SHRXQ BX, R9, DX
	ORQ   DX, R10
	JMP   skipped

low:
	MOVL  $128, BX
	SUBL  CX, BX
	BZHIQ BX, DX, BX
	XORQ  BX, DX            // what differs in the first bits
	ORQ   DX, AX
	SHLXQ CX, R9, R10

skipped:
	ANDQ    $~15, R10
	ADDQ    $2, R11         // the way
	LEAQ    1(R11), BX      // or the miss
	TESTQ   AX, AX
	CMOVQNE BX, R11
	MOVQ    (SI)(R11*8), R12
	JMP     steps
