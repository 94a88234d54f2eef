// Denials review: the commands that explain denials and print what would permit
// them.

package main

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/denials"
	"sallyport/denials/journal"
	"sallyport/denials/text"
	"sallyport/rules/site"
)

func newDenialsShow() *cobra.Command {
	return denialQuery(&cobra.Command{
		Use: "show ID", Short: "Print everything about one record, and the other records of its flow",
		Example: "  sallyport denials show vhk3pzqd7a-42",
		Args:    oneID,
	}, text.WriteShow, withFlows)
}

func oneID(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return commandline.Usage("%s takes one ID, like vhk3pzqd7a-42: sallyport denials list shows them", c.CommandPath())
	}
	return nil
}

// withFlows adds the journal of permitted flows, if there is one.
func withFlows(f *denialFlags, o *text.Options, site *denials.Site) error {
	o.Site = site
	if len(f.files) > 0 {
		return nil
	}
	return addFlows(o, site.Config)
}

// permitted adds the journal of permitted flows if the query asks for what was permitted: the
// journal itself has denials only.
func (f *denialFlags) permitted(o *text.Options, cfg *site.Config) error {
	if o.Filter.Verdict != journal.VerdictAllow && o.Filter.Event != journal.EventClose || len(f.files) > 0 || cfg == nil {
		return nil
	}
	if err := addFlows(o, cfg); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// addFlows adds the files of the journal of permitted flows, each once.
func addFlows(o *text.Options, cfg *site.Config) error {
	if cfg.Journal.Flows == "" || cfg.Journal.Flows == "-" {
		return nil
	}
	files, err := journal.Files(cfg.Journal.Flows)
	for _, file := range files {
		if err == nil && !slices.Contains(o.Files, file) {
			o.Files = append(o.Files, file)
		}
	}
	return err
}

func newDenialsTail() *cobra.Command {
	return denialQuery(&cobra.Command{
		Use: "tail", Short: "Print denials as they happen, after the last ten",
		Long: `tail follows the journal until you interrupt it, also when the journal is rotated.
-n is the number of past denials to begin with; -1: none.`,
	}, text.WriteTail, onlyJournal, knownFlag)
}

// onlyJournal selects the one file that is being written.
func onlyJournal(f *denialFlags, o *text.Options, site *denials.Site) error {
	switch {
	case len(f.files) > 1:
		return commandline.Usage("tail follows one --file")
	case len(f.files) == 0:
		o.Files = []string{site.Config.Journal.Path}
	}
	return nil
}

func newDenialsSuggest() *cobra.Command {
	return denialQuery(&cobra.Command{
		Use: "suggest", Short: "Print the narrowest changes that would permit the denied attempts",
		Long: `suggest finds the narrowest change that would permit each group of denials: a
feature to turn on; a version, address or port to set; else a [[rule]] for that
one destination, with an expiry date. It tries each change on a copy of the
policy, and prints everything that the change would permit in addition, for every
client and source. It changes no file.

Sometimes the denied attempts are the only evidence that an address has a role of
the documents, or that it is a client. suggest then prints the change as a comment
with the question "who is this?". These comments come last, one for each role. Find
out which host has the address before you remove the #.

--audit shows what mode "audit" let through, the best documented destinations
first. --whole prints the whole configuration with every change, below a comment
with everything that the changes permit together. Review it, and pipe it into
"sallyport check --config -", which refuses each reason that you must still fill
in.

--known is for denials that you mean: it prints for each destination a [[known]],
which permits nothing. Its denials are still denied and recorded, and shown apart.`,
		Example: `  sallyport denials suggest --config site.toml --since 7d
  sallyport denials suggest --config site.toml --host license.sangfor.com
  sallyport denials suggest --config site.toml --audit --since 7d --whole > proposed.toml
  sallyport denials suggest --config site.toml --known --host '*.msftconnecttest.com'`,
	}, text.WriteSuggest, suggestSite, suggestFlags, cureFlag)
}

func suggestFlags(c *cobra.Command, o *text.Options) {
	c.Flags().BoolVar(&o.Audit, "audit", false, `only attempts that mode "audit" let through, the best documented first`)
	c.Flags().BoolVar(&o.AsKnown, "known", false, "print the [[known]] tables that put these denials apart, instead of changes that permit them")
	c.Flags().BoolVar(&o.Whole, "whole", false, "print the whole configuration, changed")
}

func suggestSite(f *denialFlags, o *text.Options, site *denials.Site) error {
	if o.Whole && o.JSON {
		return commandline.Usage("--whole prints TOML: leave out --json")
	}
	if o.AsKnown && o.Audit {
		return commandline.Usage("--audit is for changes that permit: leave out --known")
	}
	o.Filter.Known = denials.KnownNo
	return asRecorded(f, o, site)
}

func newDenialsReplay() *cobra.Command {
	return denialQuery(&cobra.Command{
		Use: "replay --config NEW", Short: "Print what another configuration would have decided",
		Long: `replay asks the policy of --config about every decision in the journal: denials,
and permitted flows if [journal] flows recorded them. It prints which decisions
would be newly permitted, newly denied or unchanged, so that you can review a change
before you put it in force. If a flow was denied before its first bytes were read,
the record does not have these bytes. replay then counts the flow as permitted if
its destination is permitted.`,
		Example: `  sallyport denials replay --config new.toml --since 7d
  sallyport denials replay --config new.toml --file /var/log/sallyport/denials.jsonl --json`,
	}, text.WriteReplay, replaySite)
}

// replaySite adds the journal of permitted flows, and judges by the addresses of
// the gateway that wrote it.
func replaySite(f *denialFlags, o *text.Options, site *denials.Site) error {
	if err := asRecorded(f, o, site); err != nil {
		return err
	}
	return withFlows(f, o, o.Site)
}

func newDenialsUsage() *cobra.Command {
	return denialQuery(&cobra.Command{
		Use: "usage", Short: "Print how often and when last each rule was used, and the unused rules",
		Long: `usage prints for each rule in force how much it permitted. The gateway keeps the
counts in a file beside the journal, and a restart does not reset them. usage also
counts the permitted flows that the journal holds if [journal] flows is set, or the
flows in the files that you give.`,
		Example: `  sallyport denials usage --config site.toml --days 90`,
	}, text.WriteUsage, usageSite, usageFlags)
}

func usageFlags(c *cobra.Command, o *text.Options) {
	c.Flags().IntVar(&o.Days, "days", 30, "print a rule as never used if it permitted nothing for this many `DAYS`")
}

// usageSite leaves out the journal, because the journal has denials only.
func usageSite(f *denialFlags, o *text.Options, site *denials.Site) error {
	if o.Days < 1 {
		return commandline.Usage("--days must be 1 or more")
	}
	if len(f.files) == 0 {
		o.Files, o.UsageFile, o.Config = nil, journal.UsagePath(site.Config.Journal.Path), gateway.IdentityOf(f.config)
	}
	return withFlows(f, o, site)
}

func newDenialsStats() *cobra.Command {
	return denialQuery(&cobra.Command{
		Use: "stats", Short: "Print the number of denials: by reason, cure, front end, client, hour",
	}, text.WriteStats, wantsSite, knownFlag)
}
