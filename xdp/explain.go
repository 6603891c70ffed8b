package xdp

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// errNotSupp is the kernel's ENOTSUPP, which is not meant for user space and
// comes from drivers all the same.
const errNotSupp = syscall.Errno(524)

// explain makes the error of a socket call match the package's errors and adds
// what to do about it.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.EBUSY):
		return fmt.Errorf("%w: another AF_XDP socket holds the queue (%w); stop the process that has it", ErrBusy, err)
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return fmt.Errorf("%w: %w: the kernel is built without CONFIG_XDP_SOCKETS", err, ErrNotSupported)
	case errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO):
		return fmt.Errorf("%w: %w", err, ErrGone)
	case errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%w: needs CAP_NET_RAW", err)
	case errors.Is(err, syscall.ENOBUFS):
		return fmt.Errorf("%w: raise the limit on locked memory (ulimit -l) or add CAP_IPC_LOCK", err)
	default:
		return err
	}
}

// explainBind is explain for bind, which was called with flags.
func explainBind(err error, flags uint16) error {
	switch {
	case errors.Is(err, syscall.EINVAL) && flags&sys.BindShared != 0:
		return fmt.Errorf("bind: %w: the port may have fewer queues, or the kernel is older than 5.10 and cannot share one UMEM; the asavie backend does not need that", err)
	case errors.Is(err, syscall.EINVAL) && flags&sys.BindSG != 0:
		return fmt.Errorf("bind: %w: the port may have fewer queues, or the kernel is older than 6.6 and cannot do multi-buffer", err)
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("bind: %w: the port may have fewer queues", err)
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, errNotSupp):
		return fmt.Errorf("bind: zero-copy is %w by this driver (%w)", ErrNotSupported, err)
	default:
		return fmt.Errorf("bind: %w", explain(err))
	}
}
