// Denials known: the flag for denials that the site knows, and what a query says about lines and
// denials that it left out.

package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

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

// reportLines reports the lines that are no records, and the denials that were left out.
func reportLines(c *cobra.Command, report journal.Report) {
	for _, p := range report.Problems {
		fmt.Fprintln(c.ErrOrStderr(), "sallyport:", p)
	}
	if n := report.Skipped - uint64(len(report.Problems)); report.Skipped > uint64(len(report.Problems)) {
		fmt.Fprintf(c.ErrOrStderr(), "sallyport: %d more lines are not records and were skipped\n", n)
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
