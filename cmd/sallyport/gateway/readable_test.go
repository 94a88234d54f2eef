//go:build linux

// Tests of the remedy for a file that this user may not read.

package gateway

import (
	"io/fs"
	"syscall"
	"testing"
)

func TestUnreadableFilesNameTheirCure(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/run/x/counters.json", Err: syscall.EACCES}
	group := ownGroup()
	if got, want := ToBeReadable(denied, "/etc/sallyport/token"), ": as root: chgrp "+group+" /etc/sallyport/token && chmod 640 /etc/sallyport/token"; got != want {
		t.Errorf("of a secret: %q, want %q", got, want)
	}
	if got := ToBeReadable(fs.ErrNotExist, "/etc/sallyport/token"); got != "" {
		t.Errorf("of a file that is not there: %q", got)
	}
}
