//go:build linux

// Document: docs/clients.md, made of what the table's tests found.

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const clientsIntroduction = `# Clients

What real programs do behind sallyport. This page is made by a test, which makes each of these trips and fails when one
ends otherwise: ` + "`go test ./cmd/sallyport/e2e -run TestClientsTable`" + `, as root, and with ` + "`-update`" + ` to write it anew. The
programs are those of Debian 12; the test starts none of their services.

A cell has two words. The first is for a permitted trip: *whole*, the file, clone, manifest or address that was asked for
came unchanged; or *refused*, and why. The second is what the program's user sees of a denied one. In every cell the journal
has the denial with its reason, ` + "`not_listed`" + `, and of the denied name nothing arrived on the other side: no question for
it, no packet.

`

const clientsWords = `
*the reason*: the program prints sallyport's own answer, with the code of the reason. *403*: it prints the status and leaves
the answer out. *"not allowed"*: SOCKS reply 2. *"no tunnel"*: it says that the proxy gave none. *no such name*: NXDOMAIN,
which is all that a redirected client and a resolver's client get. *an error*: it says less than that. –: the program has no
such way.

## Notes

`

// clientsPage renders the page.
func clientsPage(rows []program, found []finding) string {
	var b strings.Builder
	b.WriteString(clientsIntroduction)
	b.WriteString("| program |")
	for _, w := range allFronts() {
		fmt.Fprintf(&b, " %s |", w)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(allFronts())) + "\n")
	for _, p := range rows {
		fmt.Fprintf(&b, "| %s |", p.name)
		for _, w := range allFronts() {
			cell := "–"
			if i := slices.IndexFunc(found, func(f finding) bool { return f.program == p.name && f.front == w }); i >= 0 {
				cell = found[i].text
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteString("\n")
	}
	b.WriteString(clientsWords)
	for _, p := range rows {
		if p.note != "" {
			fmt.Fprintf(&b, "- %s: %s.\n", p.name, p.note)
		}
	}
	b.WriteString("\n## How each was told\n\n`$HTTP` is `http://192.0.2.1:3128`, `$SOCKS` `socks5h://192.0.2.1:1080` and `$GATE` `192.0.2.1`, where sallyport listens; " +
		"a redirected\nprogram is told nothing.\n")
	for _, p := range rows {
		for _, w := range allFronts()[:3] {
			if p.trip[w] != "" {
				fmt.Fprintf(&b, "\n%s, %s:\n\n```sh\n%s\n```\n", p.name, w, p.trip[w])
			}
		}
		if p.trip[asked] != "" {
			fmt.Fprintf(&b, "\n%s, %s:\n\n```sh\n%s\n```\n", p.name, asked, p.trip[asked])
		}
	}
	return b.String()
}

// compareTable holds the page against what was found, or writes it.
func compareTable(t *testing.T, rows []program, found []finding) {
	t.Helper()
	page, file := clientsPage(rows, found), repositoryFile(t, "docs/clients.md")
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	is, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(is) != page {
		was, now := strings.Split(string(is), "\n"), strings.Split(page, "\n")
		for i := range max(len(was), len(now)) {
			if i >= len(was) || i >= len(now) || was[i] != now[i] {
				t.Errorf("docs/clients.md is not what was found: make it anew with -update; first at line %d:\n%s", i+1, strings.Join(now[i:min(i+1, len(now))], "\n"))
				return
			}
		}
	}
}
