// Denials: reads the journal back, for people and machines.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"sallyport/denials"
	"sallyport/rules"
)

// denialFlags are what list and top have in common.
type denialFlags struct {
	config  string
	files   []string
	since   string
	until   string
	options denials.Options
}

func newDenials() *cobra.Command {
	c := &cobra.Command{
		Use:   "denials",
		Short: "Review what was denied: list the records, or the top destinations",
		Long: `denials reads the journal of the configuration, rotated and compressed files
included, or the files given. It needs no running sallyport.`,
		Example: `  sallyport denials                               the last fifty
  sallyport denials top --since 24h               what was denied most today
  sallyport denials list --client es-manager --reason feature_off
  sallyport denials list --host '*.sangfor.com' --json | jq .hint
  sallyport denials list --file /backup/denials.jsonl.gz -n -1`,
		Args: noArgs,
	}
	list := denialQuery(&cobra.Command{
		Use: "list", Short: "Print the last denials, the newest last",
	}, denials.List)
	top := denialQuery(&cobra.Command{
		Use: "top", Short: "Print the destinations denied most, grouped by client and reason",
	}, denials.Top)
	bare := denialQuery(c, denials.List)
	bare.AddCommand(list, top)
	return bare
}

// query is one way of reading the journal.
type query func(context.Context, denials.Options, io.Writer) (denials.Report, error)

// denialQuery gives a command its flags and lets it run q.
func denialQuery(c *cobra.Command, q query) *cobra.Command {
	f := new(denialFlags)
	c.Args = noArgs
	configFlag(c, &f.config)
	fl := c.Flags()
	fl.StringArrayVar(&f.files, "file", nil, "read this journal `FILE` instead; may be repeated")
	fl.StringVar(&f.since, "since", "", "only records since `TIME`: a duration back like 1h or 7d, or a date or time")
	fl.StringVar(&f.until, "until", "", "only records before `TIME`")
	fl.StringVar(&f.options.Filter.Reason, "reason", "", "only this `REASON`, like not_listed")
	fl.StringVar(&f.options.Filter.Client, "client", "", "only this `CLIENT`: a name, an address or a prefix")
	fl.StringVar(&f.options.Filter.Profile, "profile", "", "only this `PROFILE`")
	fl.StringVar(&f.options.Filter.Via, "via", "", "only this front `END`: dns, http, connect, socks5")
	fl.StringVar(&f.options.Filter.Host, "host", "", "only destinations that match this `GLOB`, like *.example")
	fl.StringVar(&f.options.Filter.Verdict, "verdict", "", "deny, would_deny or allow; none: both denials")
	fl.StringVar(&f.options.Filter.Event, "event", "", "decision, close, start, stop or reload; none: decisions")
	fl.IntVarP(&f.options.N, "number", "n", 0, "at most this many `ROWS`; -1: all (0: 50 records, 20 groups)")
	fl.BoolVar(&f.options.JSON, "json", false, "print JSON, one object a line")
	_ = c.RegisterFlagCompletionFunc("reason", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var out []string
		for _, r := range rules.Reasons() {
			out = append(out, r.String()+"\t"+r.Help())
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	})
	c.RunE = func(c *cobra.Command, _ []string) error { return f.run(c, q) }
	return c
}

func (f *denialFlags) run(c *cobra.Command, q query) error {
	o := f.options
	var err error
	now := time.Now()
	if o.Filter.Since, err = parseWhen(f.since, now); err != nil {
		return usageError("--since: %v", err)
	}
	if o.Filter.Until, err = parseWhen(f.until, now); err != nil {
		return usageError("--until: %v", err)
	}
	if o.Filter.Reason != "" {
		if _, err := rules.ParseReason(o.Filter.Reason); err != nil {
			return usageError("--reason: %v", err)
		}
	}
	if o.Files, err = f.journals(c.InOrStdin()); err != nil {
		return err
	}
	o.Now = now
	o.Color = isTerminal(c.OutOrStdout()) && os.Getenv("NO_COLOR") == ""
	report, err := q(c.Context(), o, c.OutOrStdout())
	for _, p := range report.Problems {
		fmt.Fprintln(c.ErrOrStderr(), "sallyport:", p)
	}
	if n := report.Skipped - uint64(len(report.Problems)); report.Skipped > uint64(len(report.Problems)) {
		fmt.Fprintf(c.ErrOrStderr(), "sallyport: %d more lines are no records and were skipped\n", n)
	}
	return err
}

// journals lists the files to read: those given, else those of the configuration.
func (f *denialFlags) journals(stdin io.Reader) ([]string, error) {
	if len(f.files) > 0 {
		return f.files, nil
	}
	cfg, _, err := loadConfig(f.config, stdin)
	if err != nil {
		return nil, err
	}
	if cfg.Journal.Path == "-" {
		return nil, errors.New(`the journal goes to standard output: say --file FILE, or --file - to read standard input`)
	}
	return denials.Files(cfg.Journal.Path)
}

// parseWhen reads a duration back from now ("90m", "7d"), a date or a time.
func parseWhen(s string, now time.Time) (time.Time, error) {
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
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a duration like 1h or 7d nor a time like 2026-11-22 or 2026-11-22T15:04:05Z", s)
}

// isTerminal tells whether w is one.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
