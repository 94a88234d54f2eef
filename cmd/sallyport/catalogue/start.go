// Profiles start: the command that writes a first configuration for a profile.

package catalogue

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/rules"
)

// startOptions are the flags of profiles start.
type startOptions struct {
	role   string
	output string
}

func newStart() *cobra.Command {
	var o startOptions
	c := &cobra.Command{
		Use:   "start {NAME | FILE}",
		Short: "Write a first configuration for a profile: listeners, one client, checks",
		Long: `start writes a configuration that sallyport accepts as it is: listeners on this host, one
client with the profile, a journal, and [[expect]] tables, which say what the policy must
answer. FILL IN marks what only you know: the addresses of the client, and those of the
parties that the document leaves to the site. start asks the policy each [[expect]] before
it writes.

NAME is a shipped profile. FILE is a profile of your own: the configuration reads it from
its place.

Exit status: 0; 1 if the profile has errors or the file cannot be written; 2 if the command
line is wrong.`,
		Example: `  sallyport profiles start profiles/backup.toml --output site.toml
  sallyport profiles start cyber-command --role sta --output site.toml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return commandline.Usage("profiles start takes one profile: a name or a file")
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			profiles, _ := gateway.ShippedProfiles()
			return profileNames(profiles), cobra.ShellCompDirectiveDefault
		},
	}
	c.Flags().StringVar(&o.role, "role", "", "the `ROLE` of the client; without it, the first role of the profile")
	c.Flags().StringVarP(&o.output, "output", "o", "", "write the configuration to `FILE` instead of standard output; a file that exists stays as it is")
	_ = c.MarkFlagFilename("output", "toml")
	c.RunE = func(c *cobra.Command, args []string) error {
		return o.run(args[0], c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// run writes the configuration, and says what is left to do.
func (o *startOptions) run(arg string, out, errs io.Writer) error {
	shipped, err := gateway.ShippedProfiles()
	if err != nil {
		return err
	}
	p, err := readProfile(arg, shipped)
	if err != nil {
		return err
	}
	s := starter{profile: p, role: o.role}
	if s.role == "" {
		s.role = p.Roles[0]
	}
	if !slices.Contains(p.Roles, s.role) {
		return commandline.Usage("--role %q: the roles of %s are %s", s.role, p.Name, strings.Join(p.Roles, ", "))
	}
	if !slices.Contains(shipped, p) {
		s.path = arg
	}
	if _, _, problems, err := gateway.LoadPolicy("-", bytes.NewReader(s.text())); err != nil {
		return fmt.Errorf("the configuration would not be accepted: %w%s", err, problemLines(problems))
	}
	if o.output == "" {
		_, err = out.Write(s.text())
		return err
	}
	if s.path != "" {
		if s.path, err = fromDirectory(filepath.Dir(o.output), arg); err != nil {
			return err
		}
	}
	if err := newFile(o.output, s.text()); err != nil {
		return err
	}
	if n := len(p.Notes); n > 0 {
		fmt.Fprintf(errs, "sallyport: %s of %s still a NOTE, and permits nothing\n", rules.Counted(n, "row", "rows"), p.File+map[bool]string{true: " is", false: " are"}[n == 1])
	}
	fmt.Fprintf(errs, "sallyport: next: replace each FILL IN in %s, then: sallyport check --config %[1]s\n", o.output)
	return nil
}

// problemLines returns the problems that are warnings, for an error that joins the others.
func problemLines(problems rules.Problems) (s string) {
	for _, p := range problems {
		if p.Warning {
			s += "\n" + p.String()
		}
	}
	return s
}

// fromDirectory returns the path of a file as a configuration in a directory has it.
func fromDirectory(dir, file string) (string, error) {
	if filepath.IsAbs(file) {
		return file, nil
	}
	return filepath.Rel(dir, file)
}
