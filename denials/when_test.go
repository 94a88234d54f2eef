// Tests of the times that a person gives in a query.

package denials

import (
	"strings"
	"testing"
	"time"
)

// A query accepts a duration before now, a date and a time. A time without a zone is a
// local time.
func TestTimesOfQueries(t *testing.T) {
	zone := time.FixedZone("UTC+8", 8*3600)
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, zone)
	for s, want := range map[string]time.Time{
		"":                          {},
		"90m":                       now.Add(-90 * time.Minute),
		"0s":                        now,
		"7d":                        time.Date(2026, 11, 15, 12, 0, 0, 0, zone),
		"0d":                        now,
		"today":                     time.Date(2026, 11, 22, 0, 0, 0, 0, zone),
		"yesterday":                 time.Date(2026, 11, 21, 0, 0, 0, 0, zone),
		"Monday":                    time.Date(2026, 11, 16, 0, 0, 0, 0, zone),
		"sunday":                    time.Date(2026, 11, 22, 0, 0, 0, 0, zone), // 22 November 2026 is a Sunday
		"saturday":                  time.Date(2026, 11, 21, 0, 0, 0, 0, zone),
		"2026-11-20":                time.Date(2026, 11, 20, 0, 0, 0, 0, zone),
		"2026-11-20 08:30":          time.Date(2026, 11, 20, 8, 30, 0, 0, zone),
		"2026-11-20 08:30:05":       time.Date(2026, 11, 20, 8, 30, 5, 0, zone),
		"2026-11-20T08:30:05":       time.Date(2026, 11, 20, 8, 30, 5, 0, zone),
		"2026-11-20T08:30:05Z":      time.Date(2026, 11, 20, 8, 30, 5, 0, time.UTC),
		"2026-11-20T08:30:05-01:00": time.Date(2026, 11, 20, 9, 30, 5, 0, time.UTC),
	} {
		got, err := ParseWhen(s, now)
		if err != nil || !got.Equal(want) {
			t.Errorf("ParseWhen(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
}

// A text that can be read in two ways, or in none, is an error that shows the right forms.
func TestTimesThatNoQueryAccepts(t *testing.T) {
	for _, s := range []string{"-1h", "-7d", "7 d", "1.5d", "07d", "tomorrow", "mon", "last monday", "22.11.2026", "2026-13-01", "2026-11-20T25:00:00Z", "7"} {
		got, err := ParseWhen(s, time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
		if err == nil || !strings.Contains(err.Error(), "7d") || !strings.Contains(err.Error(), "2026-11-22") {
			t.Errorf("ParseWhen(%q) = %v, %v; want an error with examples", s, got, err)
		}
	}
}
