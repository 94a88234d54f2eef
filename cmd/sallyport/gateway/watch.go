// Watch: notices when a file changes, or a link on the path to it.

package gateway

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// watchFile calls changed, in this goroutine, when the file at path differs from
// seen, a fileState from before the file was last read. It waits until two checks
// in a row find the same state. If the file disappears, that is a change; if it
// returns, that is another one. watchFile ends with ctx.
//
// It polls, because notifications of the kernel miss some changes: a link that
// points elsewhere, a mount, network file systems. Landlock permits these checks
// everywhere; changed finds out whether it can read the file.
func watchFile(ctx context.Context, every time.Duration, path, seen string, changed func()) {
	previous := fileState(path)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := fileState(path)
		if now != seen && now == previous {
			seen = now
			changed()
		}
		previous = now
	}
}

// fileState returns a text that changes with the file that path leads to now: its
// identity, its size, its mode, and the times of its changes.
func fileState(path string) string {
	st, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(st.ModTime().UnixNano(), st.Size(), st.Mode(), identity(st))
}

// identity returns the device, the inode and the change time of a file. Programs
// can set back the modification time, but not the change time.
func identity(st fs.FileInfo) string {
	s, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprint(s.Dev, s.Ino, s.Ctim.Nano())
}
