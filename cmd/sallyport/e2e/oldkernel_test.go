//go:build linux

// Old kernel: the test binary starts itself again and runs sallyport. Landlock's
// system calls then get the error of an old kernel or of a filter.

package e2e

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// oldKernel is the environment variable with the error that the system calls
// return.
const oldKernel = "SALLYPORT_E2E_LANDLOCK_ERRNO"

// becomeOldKernel replaces itself with the program in its arguments.
func becomeOldKernel(errno string) error {
	n, err := strconv.ParseUint(errno, 10, 16)
	if err != nil {
		return err
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // loads the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_LANDLOCK_CREATE_RULESET},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(n)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread() // the filter belongs to this thread, and exec keeps it
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return os.NewSyscallError("seccomp", errno)
	}
	if len(os.Args) < 2 {
		return fmt.Errorf("%s: nothing to run", oldKernel)
	}
	return syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
}
