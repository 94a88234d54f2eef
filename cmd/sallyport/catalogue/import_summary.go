// Import summary: what profiles import says about its draft, and the next command.

package catalogue

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sallyport/rules"
	"sallyport/rules/profile/draft"
)

// summary counts the rows and what is left to decide, and names the next command.
func (o *importOptions) summary(errs io.Writer, file string, d *draft.Draft, beside int) {
	n, all := d.Decided(), len(d.Rows)
	fmt.Fprintf(errs, "sallyport: %s: %s, %s\n", file, rules.Counted(all, "row", "rows"), rules.Counted(n, "rule", "rules"))
	if left := all - n; left > 0 {
		fmt.Fprintf(errs, "sallyport: %s: search the draft for NOTE\n", rules.Counted(left, "row is not a rule yet", "rows are not rules yet"))
	}
	if beside > 0 {
		fmt.Fprintf(errs, "sallyport: %s: search the draft for \"NOTE beside\"\n", rules.Counted(beside, "rule has a warning of profiles check", "rules have a warning of profiles check"))
	}
	if n := d.Assumed(); n > 0 {
		fmt.Fprintf(errs, "sallyport: %s no protocol in the document: search the draft for \"--protocol %s\"\n", rules.Counted(n, "rule has", "rules have"), o.draft.Protocol)
	}
	if n := d.Remarked(); n > 0 {
		fmt.Fprintf(errs, "sallyport: %s from the import: read each \"note =\" of the draft\n", rules.Counted(n, "rule has a note", "rules have a note"))
	}
	reviewed := filepath.Join(filepath.Dir(o.output), o.draft.Name+".toml")
	_, err := os.Stat(reviewed)
	switch {
	case o.output == "":
	case filepath.Base(o.output) == filepath.Base(reviewed):
		fmt.Fprintf(errs, "sallyport: next: keep a copy of %s as the draft, then: sallyport profiles decide %[1]s\n", o.output)
	case err == nil: // a person made it of an earlier draft
		fmt.Fprintf(errs, "sallyport: next: if %s is the reviewed profile of an earlier draft: sallyport profiles merge %[1]s --old EARLIER-DRAFT --new %s --output NEW-FILE\n", reviewed, o.output)
	default:
		fmt.Fprintf(errs, "sallyport: next: sallyport profiles decide %s\n", o.output)
	}
}
