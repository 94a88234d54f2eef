// Denials known: the flag for denials that the site knows, the command for denials that are new, and
// what a query says about lines and denials that it left out.

package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/denials"
	"sallyport/denials/journal"
	"sallyport/denials/text"
	"sallyport/rules"
	"sallyport/rules/site"
)

// knownAllWord is denials.KnownAll as a word.
const knownAllWord = "all"

// knownWords returns the values of --known.
func knownWords() []string { return []string{denials.KnownNo, denials.KnownOnly, knownAllWord} }

// knownFlag adds the flag --known. A query without it leaves known denials out.
func knownFlag(c *cobra.Command, o *text.Options) {
	fl := c.Flags()
	fl.StringVar(&o.Filter.Known, "known", denials.KnownNo, "denials that a [[known]] covers, `WHICH`: no, only or all; --known alone: only")
	fl.Lookup("known").NoOptDefVal = denials.KnownOnly
	_ = c.RegisterFlagCompletionFunc("known", cobra.FixedCompletions(knownWords(), cobra.ShellCompDirectiveNoFileComp))
}

// judgeKnown makes a query judge by the configuration which denials are known. Without a
// configuration, the marks of the records count.
func (f *denialFlags) judgeKnown(o *text.Options, cfg *site.Config, now time.Time) {
	if cfg != nil {
		o.Filter.Table = denials.KnownOf(cfg.Known, now)
	}
	if o.Filter.Known == knownAllWord {
		o.Filter.Known = denials.KnownAll
	}
}

// newDenialsNew returns the command denials new.
func newDenialsNew() *cobra.Command {
	var than, state string
	var last bool
	return denialQuery(&cobra.Command{
		Use: "new", Short: "Print the groups of denials that began within the last day, and no older ones",
		Long: `new compares two periods of the journal. It prints each destination, client and
reason whose first denial is not older than --since, the newest first, and counts
those that began before. It reads the whole journal, or the part from --than on.

--since-last prints what is new since the last call with --since-last. The time of
the call is kept in a file beside the journal, JOURNAL.last-read, or in the file of
--state. Denials of the last 10 seconds before a call may be printed twice: the
journal writes counted denials up to a few seconds late.`,
		Example: `  sallyport denials new                             began within the last 24 hours
  sallyport denials new --since monday --than 30d   began since Monday, and not earlier in the last 30 days
  sallyport denials new --since-last --json         for a job that reports each new group once`,
	}, text.WriteNew, func(f *denialFlags, o *text.Options, site *denials.Site) (err error) {
		if last && f.since != "" {
			return commandline.Usage("--since-last knows the time: leave out --since")
		}
		if o.New, o.Sort = o.Filter.Since, "first"; f.since == "" {
			o.New = o.Now.Add(-24 * time.Hour)
		}
		if last {
			switch o.NewFile = state; {
			case state == "" && (len(f.files) > 0 || f.narrowed()):
				return commandline.Usage("--since-last with --file or with a filter needs a file of its own for the time: --state FILE")
			case state == "":
				o.NewFile = site.Config.Journal.Path + ".last-read"
			}
			if o.New, err = text.LastRead(o.NewFile); err != nil {
				return err
			}
		}
		if o.Filter.Since, err = denials.ParseWhen(than, o.Now); err != nil {
			return commandline.Usage("--than: %v", err)
		}
		if o.Filter.Since.After(o.New) && !o.New.IsZero() {
			return commandline.Usage("--than must be before --since: the time between them is compared")
		}
		return wantsSite(f, o, site)
	}, cureFlag, knownFlag, func(c *cobra.Command, _ *text.Options) {
		fl := c.Flags()
		fl.Lookup("since").Usage = "groups that began since `TIME`: a duration back like 1h or 7d, a day like yesterday or monday, or a date or time; default 24h"
		fl.StringVar(&than, "than", "", "compare with the denials since `TIME`; default: the whole journal")
		fl.BoolVar(&last, "since-last", false, "groups that began since the last call with this flag")
		fl.StringVar(&state, "state", "", "keep the time of --since-last in this `FILE`")
	})
}

// narrowed reports whether a flag leaves out some groups.
func (f *denialFlags) narrowed() bool {
	o := f.options
	o.Filter.Known, o.JSON = "", false
	return f.until != "" || o.Filter != (denials.Filter{}) || o.Cure != "" || o.N > 0 || o.Offset > 0
}

// reportLines reports the lines that are no records, and the denials that were left out.
func reportLines(c *cobra.Command, report journal.Report) {
	for _, p := range report.Problems {
		fmt.Fprintln(c.ErrOrStderr(), "sallyport:", p)
	}
	if n := report.Skipped - uint64(len(report.Problems)); report.Skipped > uint64(len(report.Problems)) {
		fmt.Fprintf(c.ErrOrStderr(), "sallyport: %d more lines are not records and were skipped\n", n)
	}
	if report.Cut != "" {
		fmt.Fprintln(c.ErrOrStderr(), "sallyport:", report.Cut)
	}
	if report.Known == 0 {
		return
	}
	cure := ""
	if fl := c.Flags().Lookup("known"); fl != nil && fl.Value.Type() == "string" {
		cure = ": --known shows them"
	}
	fmt.Fprintf(c.ErrOrStderr(), "sallyport: %s left out, because [[known]] covers them%s\n", rules.Counted(report.Known, "known denial is", "known denials are"), cure)
}
