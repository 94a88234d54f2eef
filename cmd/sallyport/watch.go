// Watch: sees when a file is another one or has other content, whatever links
// lead to it.

package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// watchEvery is how often a watched file is looked at. Looking also sees what
// notifications of the kernel miss: another file system, a turned link, a mount.
const watchEvery = time.Second

// watchFile calls changed, in this goroutine, when what path leads to is no more
// what seen says, a fileState from before it was last read. It waits until the
// file has stopped changing: until two looks in a row find the same. A file that
// disappears is a change, and so is its return. It ends with ctx.
//
// Landlock lets it look anywhere; reading is for changed to try.
func watchFile(ctx context.Context, path, seen string, changed func()) {
	previous := fileState(path)
	tick := time.NewTicker(watchEvery)
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

// fileState differs when a file does: through links, the file that they lead to
// now; which it is, how long, and when its content or mode was changed.
func fileState(path string) string {
	st, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(st.ModTime().UnixNano(), st.Size(), st.Mode(), identity(st))
}

// identity is which file it is, and when its inode changed: a time that nobody
// sets back, unlike the content's.
func identity(st fs.FileInfo) string {
	s, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprint(s.Dev, s.Ino, s.Ctim.Nano())
}
