// Import command: the command line of an import, as the head of its draft has it.

package catalogue

import (
	"strings"

	"github.com/spf13/pflag"
)

// importCommand returns the command that makes the same draft of the same document again. Its
// flags are in the order of their names.
func importCommand(file string, flags *pflag.FlagSet) string {
	words := []string{"sallyport", "profiles", "import", quoted(file)}
	flags.Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "bool" {
			words = append(words, "--"+f.Name+map[bool]string{false: "=" + f.Value.String()}[f.Value.String() == "true"])
			return
		}
		words = append(words, "--"+f.Name, quoted(f.Value.String()))
	})
	return strings.Join(words, " ")
}

// quoted writes a word for a shell (POSIX, section 2.2), as people write it: with quotes only if
// it needs them.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@%+", r)
	}
	switch rest := strings.TrimFunc(word, plain); {
	case word != "" && rest == "":
		return word
	case !strings.ContainsAny(word, "\"$`\\!\n"):
		return `"` + word + `"`
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
