//go:build !amd64

package xdp

func missingElsewhere(Backend) int { panic("no other backend") }
func unsentElsewhere(Backend) int  { panic("no other backend") }
