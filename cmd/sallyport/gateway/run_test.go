// Tests of what stops a running sallyport.

package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// A front end that fails stops the gateway, whatever the error is, also if several
// fail at once. A front end that ends because ctx ended has not failed.
func TestSupervise(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	failed := make(chan error, 1)
	for _, err := range []error{fmt.Errorf("listener: %w", net.ErrClosed), errors.New("broken"), errors.New("broken, too")} {
		all.Add(1)
		supervise(ctx, &all, "http", func(context.Context) error { return err }, failed)
	}
	all.Wait()
	if err := <-failed; !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "http: ") {
		t.Errorf("a listener that is gone: %v", err)
	}
	all.Add(1)
	supervise(ctx, &all, "http", func(context.Context) error { cancel(); return errors.New("ended") }, failed)
	if len(failed) > 0 {
		t.Error("the end is a failure")
	}
}
