//go:build linux

// Document: writes docs/clients.md from the results of the clients table.

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const clientsIntroduction = `# Clients

This page shows how real programs behave behind sallyport. It is the output of a test. Run the test as root:
` + "`go test ./cmd/sallyport/e2e -run TestClientsTable`" + `. The test makes each of these requests, and fails if a result differs from
this page; with ` + "`-update`" + ` it writes the page again. The programs are those of Debian 12. The test does not use the services
(systemd units) that Debian's packages install. Where it needs a server, it starts the program itself, as shown below.

A cell has two parts. The first part is the result if the policy permits the name of the destination. *whole*: the file, clone,
manifest or address arrived unchanged. *refused*: it did not arrive in spite of that, and the reason follows. The second part is
the message that the user of the program gets if the destination is denied. In every case the journal has the denial with
its reason, ` + "`not_listed`" + `, and nothing about the denied name left sallyport: no query and no packet.

`

const clientsWords = `
*the reason*: the program prints sallyport's own answer, which has the reason. *403*: it prints the status only.
*"not allowed"*: SOCKS reply 2. *"no tunnel"*: it prints that the proxy gave no tunnel. *no such name*: it prints that
the name does not exist (NXDOMAIN). A redirected program, or a program behind a resolver, can learn only this, because sallyport's
DNS denies the name before there is a connection. *an error*: it prints an error without a cause. –: not tested, because the
program does not support this way or it is not its purpose.

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
	b.WriteString("\n## How each was configured\n\nsallyport listens on 192.0.2.1. `$GATE` is `192.0.2.1`, `$HTTP` is `http://192.0.2.1:3128`, and `$SOCKS` is\n" +
		"`socks5h://192.0.2.1:1080`. A redirected program needs no configuration.\n")
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

// compareTable compares the page with the findings. With -update it writes the page.
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
				t.Errorf("docs/clients.md differs from the results: write it again with -update; first difference at line %d:\n%s", i+1, strings.Join(now[i:min(i+1, len(now))], "\n"))
				return
			}
		}
	}
}
