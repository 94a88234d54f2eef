// Tests of the import command in the head of a draft.

package catalogue

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A shell reads the command as it was given: each word with its spaces, quotes and signs.
func TestImportCommandIsForAShell(t *testing.T) {
	c := newImport()
	args := []string{"--title", "The \"ports\" of $HOME's `gate` \\ 7!", "--name", "gate", "--required", "--columns", "host=2,port=3", "--url", "https://x.example/a?b=c&d", "--table", "2"}
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	command := importCommand("my file.html", c.Flags())
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "sallyport() { printf '%s\\n' \"$@\"; }; "+command).Output()
	if err != nil {
		t.Fatal(command, err)
	}
	want := []string{"profiles", "import", "my file.html", "--columns", "host=2,port=3", "--name", "gate", "--required", "--table", "2", "--title", args[1], "--url", "https://x.example/a?b=c&d"}
	if got := strings.Split(strings.TrimSpace(string(out)), "\n"); !slices.Equal(got, want) {
		t.Errorf("%s\n%q", command, got)
	}
}
