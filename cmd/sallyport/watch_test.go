// Tests of watching the configuration's file.

package main

import (
	"context"
	"strings"
	"testing"
	"time"
)

// A file that changes while sallyport starts, after it was read, is put in force.
func TestWatchSeesAChangeDuringTheStart(t *testing.T) {
	g, log, write := readyGateway(t)
	g.read = fileState(g.file)
	write(strings.Replace(readySite, "10.77.0.10", "10.77.0.11", 1) + "# longer\n")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); g.watch(ctx) }()
	defer func() { cancel(); <-done }()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(log.String(), "reloaded"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the old configuration stays in force: %s", log.String())
		}
	}
}
