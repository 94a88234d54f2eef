// Tests of the progress that a scan reports.

package journal

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestProgressIsTold(t *testing.T) {
	dir := t.TempDir()
	var rs []Record
	for i := range 3 * progressEvery {
		rs = append(rs, at(i%1000, nil))
	}
	files := []string{journalOf(t, filepath.Join(dir, "a.gz"), rs...), journalOf(t, filepath.Join(dir, "b"), rs[:10]...)}
	var seen []int64
	var size int64
	_, err := Scan(context.Background(), files, time.Time{}, func(read, total int64) { seen, size = append(seen, read), total }, func(*Record) error { return nil })
	if err != nil || len(seen) < 4 || !slices.IsSorted(seen) || seen[len(seen)-1] != size || size == 0 {
		t.Errorf("%v of %d, %v", seen, size, err)
	}
}
