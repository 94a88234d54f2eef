// When: reads the times that a person gives in a query.

package denials

import (
	"fmt"
	"strings"
	"time"
)

// ParseWhen reads a date, a time, a duration before now ("90m", "7d"), or a day in words: "today",
// "yesterday", or the name of a weekday, which is the last one and can be today. A day means its
// first moment in the zone of now.
func ParseWhen(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	var days int
	if n, err := fmt.Sscanf(s, "%dd", &days); n == 1 && err == nil && s == fmt.Sprintf("%dd", days) && days >= 0 {
		return now.AddDate(0, 0, -days), nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if ago, ok := daysAgo(strings.ToLower(s), now.Weekday()); ok {
		y, m, d := now.Date()
		return time.Date(y, m, d-ago, 0, 0, 0, 0, now.Location()), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a duration like 1h or 7d, nor a day like yesterday or monday, nor a time like 2026-11-22 or 2026-11-22T15:04:05Z", s)
}

// daysAgo returns how many days ago a day in words was.
func daysAgo(word string, today time.Weekday) (int, bool) {
	switch word {
	case "today":
		return 0, true
	case "yesterday":
		return 1, true
	}
	for d := time.Sunday; d <= time.Saturday; d++ {
		if word == strings.ToLower(d.String()) {
			return int(today-d+7) % 7, true
		}
	}
	return 0, false
}
