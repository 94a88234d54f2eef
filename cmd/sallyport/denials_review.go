// Denials review: the commands that explain denials and say what would permit them.

package main

import (
	"strings"

	"github.com/spf13/cobra"

	"sallyport/denials"
	"sallyport/denials/journal"
)

func sortFlag(c *cobra.Command, o *denials.Options) {
	c.Flags().StringVar(&o.Sort, "sort", "count", "`ORDER` of the groups: "+strings.Join(denials.Sorts(), ", "))
	_ = c.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(denials.Sorts(), cobra.ShellCompDirectiveNoFileComp))
}

func cureFlag(c *cobra.Command, o *denials.Options) {
	var names []string
	for _, k := range denials.Cures() {
		names = append(names, string(k))
	}
	c.Flags().StringVar((*string)(&o.Cure), "cure", "", "only groups with this `CURE`: "+strings.Join(names, ", "))
	_ = c.RegisterFlagCompletionFunc("cure", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
}

func newDenialsShow() *cobra.Command {
	return denialQuery(&cobra.Command{
		Use: "show ID", Short: "Print everything about one record, and the other records of its flow",
		Example: "  sallyport denials show vhk3pzqd7a-42",
		Args:    oneID,
	}, denials.WriteShow, withFlows)
}

func oneID(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError("%s takes one ID, like vhk3pzqd7a-42: sallyport denials list shows them", c.CommandPath())
	}
	return nil
}

// withFlows reads the journal of permitted flows too, where there is one.
func withFlows(f *denialFlags, o *denials.Options, site *denials.Site) error {
	o.Site = site
	if flows := site.Config.Journal.Flows; len(f.files) == 0 && flows != "" && flows != "-" {
		files, err := journal.Files(flows)
		if err == nil {
			o.Files = append(o.Files, files...)
		}
		return err
	}
	return nil
}

func newDenialsTail() *cobra.Command {
	return denialQuery(&cobra.Command{
		Use: "tail", Short: "Print denials as they happen, after the last ten",
		Long: `tail follows the journal, over rotations, until it is interrupted. -n says with
how many of the past it begins; -1: none.`,
	}, denials.WriteTail, onlyJournal)
}

// onlyJournal leaves the one file that is written now.
func onlyJournal(f *denialFlags, o *denials.Options, site *denials.Site) error {
	switch {
	case len(f.files) > 1:
		return usageError("tail follows one --file")
	case len(f.files) == 0:
		o.Files = []string{site.Config.Journal.Path}
	}
	return nil
}

func newDenialsSuggest() *cobra.Command {
	return denialQuery(&cobra.Command{
		Use: "suggest", Short: "Print the narrowest changes that would permit what was denied",
		Long: `suggest looks for the narrowest change that would permit each group of denials:
a feature to turn on, a version, address or port to set, else a [[rule]] for
that one destination with an expiry date. Each change was tried out on the
policy in memory; it says all that it would permit beside what was denied, to
every client and source. Nothing is applied.

Where only the denied client's attempts say that an address is a party of the
documents, or is a client, the change is a comment with "who is this?", comes
last, and is there once for each party: find out before you remove its #.

--audit is about what mode "audit" let through: the best documented
destinations first. --whole prints the whole configuration with every change
made, below a comment with all that they permit together, for review and
"sallyport check --config -", which warns of each reason that is to be filled
in.`,
		Example: `  sallyport denials suggest --config site.toml --since 7d
  sallyport denials suggest --config site.toml --host license.sangfor.com
  sallyport denials suggest --config site.toml --audit --since 7d --whole > proposed.toml`,
	}, denials.WriteSuggest, suggestSite, suggestFlags, cureFlag)
}

func suggestFlags(c *cobra.Command, o *denials.Options) {
	c.Flags().BoolVar(&o.Audit, "audit", false, `only what mode "audit" let through, the best documented first`)
	c.Flags().BoolVar(&o.Whole, "whole", false, "print the whole configuration, changed")
}

func suggestSite(f *denialFlags, o *denials.Options, site *denials.Site) error {
	if o.Whole && o.JSON {
		return usageError("--whole prints TOML: leave out --json")
	}
	return asRecorded(f, o, site)
}

func newDenialsReplay() *cobra.Command {
	return denialQuery(&cobra.Command{
		Use: "replay --config NEW", Short: "Print what another configuration would have decided",
		Long: `replay asks the policy of --config about every decision in the journal: denials,
and permitted flows where [journal] flows recorded them. It says what would be
newly permitted, newly denied and unchanged, to review a change before it is
live. What a flow would have shown later is not known: a denial that came
before the first bytes counts as permitted when its destination is.`,
		Example: `  sallyport denials replay --config new.toml --since 7d
  sallyport denials replay --config new.toml --file /var/log/sallyport/denials.jsonl --json`,
	}, denials.WriteReplay, replaySite)
}

// replaySite reads the journal of permitted flows too, and judges as the
// gateway that wrote them.
func replaySite(f *denialFlags, o *denials.Options, site *denials.Site) error {
	if err := asRecorded(f, o, site); err != nil {
		return err
	}
	return withFlows(f, o, o.Site)
}

func newDenialsUsage() *cobra.Command {
	return denialQuery(&cobra.Command{
		Use: "usage", Short: "Print which rules were used, how often and when last, and which never",
		Long: `usage holds the rules in force against what they permitted. The gateway counts,
over restarts, in a file beside the journal; what [journal] flows recorded, or
the files given, is added.`,
		Example: `  sallyport denials usage --config site.toml --days 90`,
	}, denials.WriteUsage, usageSite, usageFlags)
}

func usageFlags(c *cobra.Command, o *denials.Options) {
	c.Flags().IntVar(&o.Days, "days", 30, "a rule that permitted nothing in so many `DAYS` is never used")
}

// usageSite leaves out the journal: it has denials only.
func usageSite(f *denialFlags, o *denials.Options, site *denials.Site) error {
	if o.Days < 1 {
		return usageError("--days must be 1 or more")
	}
	if len(f.files) == 0 {
		o.Files, o.UsageFile = nil, journal.UsagePath(site.Config.Journal.Path)
	}
	return withFlows(f, o, site)
}

func newDenialsStats() *cobra.Command {
	return denialQuery(&cobra.Command{
		Use: "stats", Short: "Print what the denials add up to: by reason, cure, front end, client, hour",
	}, denials.WriteStats, wantsSite)
}
