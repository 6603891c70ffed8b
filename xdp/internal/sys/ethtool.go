package sys

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Channels is struct ethtool_channels (linux/ethtool.h).
type Channels struct {
	cmd                                 uint32
	MaxRx, MaxTx, MaxOther, MaxCombined uint32
	Rx, Tx, Other, Combined             uint32
}

var _ [36]byte = [unsafe.Sizeof(Channels{})]byte{}

// ifreq is struct ifreq (linux/if.h) with a pointer.
type ifreq struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

var _ [40]byte = [unsafe.Sizeof(ifreq{})]byte{}

// ErrNoEthtool means that the driver does not answer this question.
var ErrNoEthtool = errors.New("driver does not say")

// EthtoolChannels asks the driver of the link called name, in the network
// namespace of the calling thread, for its queues.
func EthtoolChannels(name string) (Channels, error) {
	c := Channels{cmd: unix.ETHTOOL_GCHANNELS}
	err := ethtool(name, unsafe.Pointer(&c))
	return c, err
}

// EthtoolDriver asks for the name of the driver of the link called name, and
// for the place of the device on its bus, which is "" for one that exists in
// software only.
func EthtoolDriver(name string) (driver, bus string, err error) {
	info := unix.EthtoolDrvinfo{Cmd: unix.ETHTOOL_GDRVINFO}
	if err := ethtool(name, unsafe.Pointer(&info)); err != nil {
		return "", "", err
	}
	driver, bus = unix.ByteSliceToString(info.Driver[:]), unix.ByteSliceToString(info.Bus_info[:])
	if bus == "N/A" { // what a bridge says
		bus = ""
	}
	return driver, bus, nil
}

// ethtool runs one command of the ethtool ioctl.
func ethtool(name string, command unsafe.Pointer) error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	var req ifreq
	if len(name) >= len(req.name) {
		return fmt.Errorf("ethtool: %w", unix.ENODEV) // no link has such a name
	}
	copy(req.name[:], name)
	req.data = command
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
	runtime.KeepAlive(command)
	switch errno {
	case 0:
		return nil
	case unix.EOPNOTSUPP:
		return ErrNoEthtool
	}
	return os.NewSyscallError("ioctl(SIOCETHTOOL)", errno)
}
