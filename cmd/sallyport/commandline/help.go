// Help: the command help, and what an argument probably is.

package commandline

import (
	"bufio"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"
)

// NewHelp returns the command help. Unlike cobra's own one, it refuses a command that does not
// exist.
func NewHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Print the help of a command, or a topic",
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			of, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, sub := range of.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, sub.Name()+"\t"+sub.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			of, rest, err := c.Root().Find(args)
			switch {
			case err != nil:
				return Usage("%v", err)
			case len(rest) > 0:
				return NoCommand(of, rest[0])
			}
			of.InitDefaultHelpFlag()
			of.InitDefaultVersionFlag()
			return of.Help()
		},
	}
}

// Nearest returns the word that is at most two edits away; "" if there is none. Hyphens and
// underscores do not count.
func Nearest(s string, words []string) string {
	plain := strings.NewReplacer("-", "", "_", "", " ", "")
	best, at := "", 3
	for _, w := range words {
		if d := levenshtein.ComputeDistance(plain.Replace(strings.ToLower(s)), plain.Replace(w)); d < at && d < len(w) {
			best, at = w, d
		}
	}
	return best
}

// profileKey is a line at the beginning of a profile that no configuration has.
var profileKey = regexp.MustCompile(`^\s*(?:\[document\]|roles\s*=)`)

// IsProfile reports whether an argument is the file of a profile.
func IsProfile(arg string) bool {
	if !strings.HasSuffix(arg, ".toml") {
		return false
	}
	info, err := os.Stat(arg)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(arg)
	if err != nil {
		return false
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, 64<<10))
	for lines.Scan() {
		if profileKey.MatchString(lines.Text()) {
			return true
		}
	}
	return false
}
