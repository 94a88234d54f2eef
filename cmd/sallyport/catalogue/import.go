// Profiles import: the command that drafts a profile from a vendor's document.

package catalogue

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/profile/draft"
	"sallyport/rules/profile/lint"
)

// importOptions are the flags of profiles import.
type importOptions struct {
	draft   draft.Options
	filter  draft.Filter
	format  string
	from    string
	columns string
	output  string
}

func newImport() *cobra.Command {
	var o importOptions
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Draft a profile from a vendor's list of names and ports",
		Long: `import reads the tables of a document and prints a draft profile. Compare the
draft with the document before you use it.

FILE is CSV, TSV, Markdown, HTML, or plain text as a PDF reader saves it; "-" is
standard input. With --from, FILE is a JSON list that a vendor publishes for machines.

import finds the columns by their titles, such as "Domain", "Port" and "Purpose"; you
can also number them with --columns. One cell may hold several names, and ports such
as "TCP: 443, 80", "53(UDP)" or "5000 (TCP, UDP)".

A row does not become a rule if import cannot read it, if it has two meanings, or if
it has a condition: "ALL", a port without a protocol, ".example.com",
"[region].example.com", a range of addresses, a private address, a footnote mark in
any cell, words such as "optional", "if", "only when" or "older than", struck-out or
hidden text, a direction other than outbound, a source other than the role, a role
instead of a name, a merged cell that leaves the destination or the port empty. The
draft keeps such a row as a comment that begins with NOTE, says what you must decide,
and has the rule that you may write. Standard error counts these rows. A comment
"NOTE beside the rule" has a warning of profiles check about the rule below it.

import knows the usual words of a condition in some languages, and it reads tables and
their headings, not the text around them. Read every purpose, and the page. import does
not read the style sheets of a page: text that only a style sheet hides is visible to it.

If the document has several roles, import it once for each role with --role and
--table, and join the [[rule]] parts in one file.

Limits: 16 MiB, 200,000 rows, 64 columns.

Exit status: 0; 1 if no table is found or the file is not of its format; 2 if the
command line is wrong.`,
		Example: `  sallyport profiles import ports.html --title "Ports of Backup 7" --name backup --role server
  sallyport profiles import ports.html --title "Ports of Backup 7" --output backup.toml
  sallyport profiles import list.csv --title "Allow list" --columns host=2,port=3,purpose=4 --protocol tcp
  sallyport profiles import ports.html --title "Ports of Backup 7" --name backup --role agent --table 2
  sallyport profiles import guide.txt --title "Network guide" --version 03 --released 2026-05-01
  sallyport profiles import --from m365 endpoints.json --title "Microsoft 365" --service Exchange --required
  sallyport profiles import --from aws-ip-ranges ip-ranges.json --title "S3" --service S3 --region eu-west-1 --ports "tcp 443"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return commandline.Usage("profiles import takes one file, or - for standard input")
			}
			return nil
		},
	}
	o.addFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		o.draft.Command = importCommand(args[0], c.Flags())
		return o.run(args[0], c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// addFlags defines the flags.
func (o *importOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.draft.Title, "title", "", "the document's `TITLE` (required)")
	f.StringVar(&o.draft.Name, "name", "draft", "the profile's `NAME`: lower-case letters, digits and hyphens")
	f.StringVar(&o.draft.Product, "product", "", "the `PRODUCT`; without it, the title")
	f.StringVar(&o.draft.Version, "version", "", "the document's `VERSION`")
	f.StringVar(&o.draft.Released, "released", "", "the document's `DATE`, as 2026-05-01")
	f.StringVar(&o.draft.URL, "url", "", "the document's `URL`")
	f.StringVar(&o.draft.Retrieved, "retrieved", "", "the `DATE` on which you got the document; without it, today")
	f.StringVar(&o.draft.Language, "language", "", "the document's `LANGUAGE`, as en")
	f.StringVar(&o.draft.Role, "role", "manager", "the `ROLE` that opens these connections")
	f.StringVar(&o.draft.Protocol, "protocol", "", "`tcp`, udp or tcp,udp: for ports without a protocol in the document")
	f.StringVar(&o.columns, "columns", "", fmt.Sprintf("numbers of the columns, from 1, as `host=2,port=3`; also %s", strings.Join(draft.Columns()[2:], ", ")))
	f.IntVar(&o.draft.Table, "table", 0, "only the table with this `NUMBER` in the document, from 1")
	f.StringVar(&o.format, "format", "", fmt.Sprintf("`FORMAT` of the tables: %s; without it, by the file's name", joined(draft.Formats())))
	f.StringVar(&o.from, "from", "", fmt.Sprintf("`LIST` for machines: %s", joined(draft.Sources())))
	f.StringVar(&o.filter.Service, "service", "", "with --from: only this `SERVICE`")
	f.StringVar(&o.filter.Region, "region", "", "with --from aws-ip-ranges: only this `REGION`")
	f.StringVar(&o.filter.Ports, "ports", "", "with --from github-meta and aws-ip-ranges, which have no ports: `PORTS`, as \"tcp 443\"")
	f.StringVarP(&o.output, "output", "o", "", "write the draft to `FILE` instead of standard output; a file that exists is replaced only by a whole draft")
	f.BoolVar(&o.filter.Needed, "required", false, "with --from m365: only what the list marks as required")
	f.VisitAll(func(flag *pflag.Flag) { flag.Value = &once{Value: flag.Value, name: flag.Name} })
}

// once is the value of a flag that a command line may have once. A second --role would
// otherwise replace the first without a word.
type once struct {
	pflag.Value

	name string
	set  bool
}

// Set refuses a second value.
func (v *once) Set(s string) error {
	switch {
	case v.set && v.name == "role":
		return errors.New("one role for each import: import the document once for each role, choose its tables with --table, and join the rules in one file")
	case v.set:
		return errors.New("the flag is there twice")
	}
	v.set = true
	return v.Value.Set(s)
}

// joined writes a list of names with commas.
func joined[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return strings.Join(out, ", ")
}

// run reads the document, prints the draft, and counts its rows on errs.
func (o *importOptions) run(file string, in io.Reader, out, errs io.Writer) error {
	if err := o.check(time.Now()); err != nil {
		return err
	}
	data, err := readWhole(file, in, maxDocument)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	o.draft.SHA256 = hex.EncodeToString(sum[:])
	if o.draft.File = filepath.Base(file); file == "-" {
		o.draft.File = "standard input"
	}
	d, err := o.read(file, data)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	shipped, err := gateway.ShippedProfiles()
	if err != nil {
		return err
	}
	draftText := d.TOML()
	_, findings := lint.Texts([]lint.Text{{File: o.draft.File, Data: draftText}}, shipped)
	draftText, beside := lint.Beside(draftText, findings)
	if o.output != "" {
		err = replaceFile(o.output, draftText)
	} else {
		_, err = out.Write(draftText)
	}
	if err == nil {
		o.summary(errs, file, d, beside)
	}
	return err
}

// check refuses flags that would make a profile that does not load.
func (o *importOptions) check(now time.Time) error {
	if o.draft.Product == "" {
		o.draft.Product = o.draft.Title
	}
	if o.draft.Retrieved == "" {
		o.draft.Retrieved = now.Format(time.DateOnly)
	}
	switch {
	case o.draft.Title == "":
		return commandline.Usage("profiles import needs --title: the document that the rules are read from")
	case !rules.IsIdentifier(o.draft.Name):
		return commandline.Usage("--name %q: lower-case letters, digits and hyphens", o.draft.Name)
	case !rules.IsIdentifier(o.draft.Role):
		return commandline.Usage("--role %q: lower-case letters, digits and hyphens", o.draft.Role)
	case o.draft.Released != "" && !isDate(o.draft.Released):
		return commandline.Usage("--released %q is not a date, such as 2026-05-01", o.draft.Released)
	case !isDate(o.draft.Retrieved):
		return commandline.Usage("--retrieved %q is not a date, such as 2026-05-01", o.draft.Retrieved)
	case o.draft.Retrieved < o.draft.Released:
		return commandline.Usage("--retrieved %s is before --released %s", o.draft.Retrieved, o.draft.Released)
	case o.draft.URL != "" && !profile.IsURL(o.draft.URL):
		return commandline.Usage("--url %q is not the address of a page, such as https://docs.example/ports", o.draft.URL)
	case o.draft.Language != "" && !profile.IsLanguage(o.draft.Language):
		return commandline.Usage("--language %q is not a language tag, such as en", o.draft.Language)
	case o.from != "" && o.format != "":
		return commandline.Usage("--from and --format exclude each other")
	case o.draft.Table < 0:
		return commandline.Usage("--table %d: the tables of a document have numbers from 1", o.draft.Table)
	case o.from != "" && o.draft.Table != 0:
		return commandline.Usage("--from and --table exclude each other: a list for machines has no tables")
	}
	return nil
}

// isDate reports whether s is a date that a profile can hold.
func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// maxDocument is the number of bytes that a document for import may have.
const maxDocument = 64 << 20

// readWhole reads a file or a pipe, or standard input for "-". More than limit bytes are an
// error, and so is a device: many devices have no end.
func readWhole(file string, in io.Reader, limit int64) ([]byte, error) {
	if file != "-" {
		if st, err := os.Stat(file); err == nil && st.Mode()&fs.ModeDevice != 0 {
			return nil, &fs.PathError{Op: "read", Path: file, Err: errors.New("it is a device: name a file, or - for standard input")}
		}
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &fs.PathError{Op: "read", Path: file, Err: fmt.Errorf("it has more than %d MiB: divide it, or remove what is not needed", limit>>20)}
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// read makes the draft of a document in its format.
func (o *importOptions) read(file string, data []byte) (*draft.Draft, error) {
	if o.from != "" {
		return draft.FromMachine(draft.Source(o.from), data, o.draft, o.filter)
	}
	for _, part := range strings.FieldsFunc(o.columns, func(r rune) bool { return r == ',' }) {
		name, number, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(number)
		if err != nil {
			return nil, errors.New("--columns " + part + ": write NAME=NUMBER")
		}
		if o.draft.Columns == nil {
			o.draft.Columns = map[string]int{}
		}
		o.draft.Columns[strings.TrimSpace(name)] = n
	}
	format := draft.Format(o.format)
	if format == "" {
		format = draft.FormatOf(file, data)
	}
	tables, err := draft.Read(format, data)
	if err != nil {
		return nil, err
	}
	return draft.New(tables, o.draft)
}
