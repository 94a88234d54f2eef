// Watch: notices when a file changes, or a link on the path to it.

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// watchFile calls changed, in this goroutine, when the file at path differs from
// seen, a fileState from before the file was last read. If the file disappears, that
// is a change; if it returns, that is another change. watchFile ends with ctx.
func watchFile(ctx context.Context, every time.Duration, path, seen string, changed func()) {
	list := func() readList { return readList{{path: path, state: seen}} }
	watchList(ctx, every, list, func(string) {
		seen = fileState(path)
		changed()
	})
}

// watchList calls changed, in this goroutine, when a file or directory differs from
// the state in the list that was read last. It waits until two checks in a row find
// the same state. changed gets the paths; after it, read returns the new list.
//
// It polls, because notifications of the kernel miss some changes: a link that
// points elsewhere, a mount, network file systems. Landlock permits these checks
// everywhere; changed finds out whether it can read the file.
func watchList(ctx context.Context, every time.Duration, read func() readList, changed func(what string)) {
	previous := read().now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		list := read()
		now := list.now()
		if what := list.changes(now); what != "" && slices.Equal(now, previous) {
			changed(what)
		}
		previous = now
	}
}

// A readList is what one load of a configuration read: files, and directories with
// the suffix of the names that count.
type readList []readOnce

// A readOnce is a file or a directory with its state from before it was read.
type readOnce struct{ path, suffix, state string }

// now returns the state of each file now.
func (l readList) now() []string {
	out := make([]string, len(l))
	for i, r := range l {
		if out[i] = fileState(r.path); r.suffix != "" {
			out[i] = dirState(r.path, r.suffix)
		}
	}
	return out
}

// changes names the files whose state differs from the state in the list; "" if none
// does.
func (l readList) changes(now []string) string {
	var paths []string
	for i, r := range l {
		if r.state != now[i] {
			paths = append(paths, r.path)
		}
	}
	if more := len(paths) - 3; more > 0 {
		paths = append(paths[:3], fmt.Sprintf("%d more", more))
	}
	return strings.Join(paths, ", ")
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

// dirState returns a text that changes with the mode of a directory and with the names
// in it that count. Other files, such as those of an editor, do not change it.
func dirState(dir, suffix string) string {
	names, err := hostFiles{}.List(dir, suffix)
	st, statErr := os.Stat(dir)
	if err := errors.Join(err, statErr); err != nil {
		return err.Error()
	}
	return fmt.Sprint(st.Mode(), strings.Join(names, "/"))
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

// everyPoll calls do at each tick of g.poll, until ctx ends.
func (g *Gateway) everyPoll(ctx context.Context, do func()) {
	tick := time.NewTicker(g.poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do()
		}
	}
}
