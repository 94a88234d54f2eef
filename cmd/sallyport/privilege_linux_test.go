// Tests of what is said about capabilities.

package main

import "testing"

func TestNeedlessCapabilities(t *testing.T) {
	for _, c := range []struct {
		status string
		live   bool
		want   uint64
	}{
		{"Name:\tsallyport\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n", false, 0},
		{"CapPrm:\t0000000000001000\n", true, 0},
		{"CapPrm:\t0000000000001000\n", false, 0x1000},
		{"CapPrm:\t000001ffffffffff\n", true, 0x1ffffffefff},
		{"", false, 0},
	} {
		if got := needlessCapabilities(c.status, c.live); got != c.want {
			t.Errorf("%q, live sets %v: %#x, want %#x", c.status, c.live, got, c.want)
		}
	}
}
