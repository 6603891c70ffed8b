//go:build !race

package fib

const raceDetector = false
