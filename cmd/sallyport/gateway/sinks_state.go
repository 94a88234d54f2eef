// Sinks, state: how each sink is, for /readyz, /metrics and the health page.

package gateway

import (
	"fmt"
	"time"

	"sallyport/denials/page"
)

// A sinkState is one sink in /readyz. A sink that fails does not make sallyport unready: the gate
// works without it.
type sinkState struct {
	Name      string    `json:"name"`
	URL       string    `json:"url"`
	State     string    `json:"state"` // "works" or "fails"
	Problem   string    `json:"problem,omitempty"`
	Since     time.Time `json:"since,omitzero"` // of the problem
	Lag       float64   `json:"lag_seconds"`
	Sent      uint64    `json:"sent"`
	Delivered uint64    `json:"delivered"`
	Resent    uint64    `json:"resent"`
	Failures  uint64    `json:"failures"`
	Losses    uint64    `json:"losses"`
	Lost      uint64    `json:"lost_records"`
}

// String describes the sink in one line.
func (s sinkState) String() string {
	text := fmt.Sprintf("%s, %s: %s", s.Name, s.URL, s.State)
	if s.Problem != "" {
		text += fmt.Sprintf(" since %s: %s", s.Since.Format(time.RFC3339), s.Problem)
	}
	text += fmt.Sprintf("; %d records sent, %d of them delivered", s.Sent, s.Delivered)
	if s.Lag > 0 {
		text += fmt.Sprintf("; the oldest record that waits is %v old", time.Duration(s.Lag*float64(time.Second)).Round(time.Second))
	}
	if s.Losses > 0 {
		text += fmt.Sprintf("; records were lost %d times, %d records at most where the number is known: they were removed from the disk before they were sent", s.Losses, s.Lost)
	}
	return text
}

// states returns how each sink is.
func (s *sinks) states() []sinkState {
	var out []sinkState
	for _, r := range s.running() {
		st := r.sender.State()
		one := sinkState{Name: r.sink.Name, URL: r.sink.URL(), State: "works", Lag: st.Lag(s.g.now()).Seconds(),
			Sent: st.Sent, Delivered: st.Delivered, Resent: st.Resent, Failures: st.Failures, Losses: st.Gaps, Lost: st.Lost}
		if st.Problem != "" {
			one.State, one.Problem, one.Since = "fails", st.Problem, st.Since.UTC()
		}
		out = append(out, one)
	}
	return out
}

// lagLimit is the lag from which on the health page marks a sink.
const lagLimit = 5 * time.Minute

// health returns a line of the health page for each sink.
func (s *sinks) health() []page.Health {
	var rows []page.Health
	for _, st := range s.states() {
		ok := st.Problem == "" && st.Losses == 0 && st.Lag < lagLimit.Seconds()
		rows = append(rows, page.Health{Name: "Sink " + st.Name, OK: ok, Text: st.String()})
	}
	return rows
}

// export sends the numbers of each sink.
func (s *sinks) export(e exporter) {
	for _, st := range s.states() {
		e.send("sallyport_sink_up", flag(st.Problem == ""), st.Name)
		e.send("sallyport_sink_lag_seconds", st.Lag, st.Name)
		e.send("sallyport_sink_records_total", float64(st.Sent), st.Name, "sent")
		e.send("sallyport_sink_records_total", float64(st.Delivered), st.Name, "delivered")
		e.send("sallyport_sink_records_total", float64(st.Resent), st.Name, "resent")
		e.send("sallyport_sink_failures_total", float64(st.Failures), st.Name)
		e.send("sallyport_sink_losses_total", float64(st.Losses), st.Name)
		e.send("sallyport_sink_lost_records_total", float64(st.Lost), st.Name)
	}
}
