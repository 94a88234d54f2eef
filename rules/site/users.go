// Users: who a client is beside its addresses: the names in its certificate, and the users in its
// users_file.

package site

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

const (
	usersKey     = "[[client]] users_file"
	maxUsersFile = 4 << 20
	maxCost      = 14 // a hash of this cost takes about a second
	usualCost    = 10
)

// readIdentity reads what a client must prove beside its address.
func (c *Config) readIdentity(cl *rules.Client, t *tomldoc.Table, disk Disk) {
	for _, text := range t.Strs("certificate") {
		name, why := rules.ParseCertificateName(text)
		switch {
		case why != "":
			if user, is := strings.CutPrefix(text, "user:"); is {
				why += fmt.Sprintf(": a login is in no certificate; name a users_file with the user %s", user)
			} else if meant := rules.MeantCertificate(text); len(meant) > 0 {
				why += ": did you mean " + strings.Join(meant, " or ") + "?"
			}
			t.Doc.Errorf(t.LineOf("certificate", text), "certificate: %q %s", text, why)
		case slices.Contains(cl.Certificates, name):
			t.Doc.Errorf(t.LineOf("certificate", text), "certificate: %q is listed twice", name)
		default:
			cl.Certificates = append(cl.Certificates, name)
		}
	}
	if t.Has("certificate") && len(cl.Certificates) == 0 && len(t.Strs("certificate")) == 0 {
		t.Errorf("certificate", `is empty: list names of certificates, like ["DNS:es.corp.example"], or leave it out`)
	}
	if len(cl.Certificates) > 0 && !c.asksCertificates {
		t.Doc.Warnf(t.Line("certificate"), "certificate: no listener takes certificates of clients, so every attempt of client %q is denied as unauthenticated: set [listen] https with tls_cert, tls_key and client_ca (docs/identity.md)", cl.Name)
	}
	if t.Has("users_file") {
		cl.Users = c.readUsers(t, t.Str("users_file"), disk)
	}
	if cl.Users != nil && c.clear() != "" {
		t.Doc.Warnf(t.Line("users_file"), "users_file: passwords cross the network readable on %s: let users log in on [listen] https (docs/identity.md), and listen there on loopback only", c.clear())
	}
}

// readUsers reads a users_file. Files that several clients name are read once.
func (c *Config) readUsers(t *tomldoc.Table, name string, disk Disk) *rules.Users {
	users := &rules.Users{File: under(disk.Dir, name), Names: map[string]bool{}}
	if name == "" || name == "-" {
		t.Errorf("users_file", "is empty: name a file with lines NAME:HASH, or leave it out")
		return users
	}
	if known := c.users[users.File]; known != nil {
		return known
	}
	path, data, err := c.read(disk, Input{Key: usersKey, Line: t.Line("users_file"), Path: name, Secret: true}, maxUsersFile)
	if err != nil {
		t.Errorf("users_file", "%s: %v", path, err)
		return users
	}
	if c.users == nil {
		c.users, c.Passwords = map[string]*rules.Users{}, map[string]rules.Hash{}
	}
	c.users[users.File] = users
	report := func(line int, warning bool, text string) {
		t.Doc.Report(rules.Problem{File: path, Line: line, Text: text, Warning: warning})
	}
	at, wrong := map[string]int{}, false
	for n, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		user, hash, why := userLine(line)
		switch {
		case why != "":
		case at[user] != 0:
			why = fmt.Sprintf("user %s is in this file twice, first on line %d: remove one of the lines", user, at[user])
		case c.Passwords[user] != "" && c.Passwords[user] != hash:
			why = "user " + user + " has another password in another users_file: a name is one user"
		}
		if why != "" {
			report(n+1, false, why)
			wrong = true
			continue
		}
		at[user], users.Names[user], c.Passwords[user] = n+1, true, hash
		if cost, _ := bcrypt.Cost([]byte(hash)); cost < usualCost {
			report(n+1, true, fmt.Sprintf("user %s: the cost of the hash is low, %d, so a thief of the file tries many passwords a second: make it with htpasswd -nB -C 10 %[1]s", user, cost))
		}
	}
	if len(users.Names) == 0 && !wrong {
		report(0, false, "the file has no user: an editor or a script may be writing it; write lines NAME:HASH, made with htpasswd -nB NAME")
	}
	return users
}

// userLine reads one line. why is what is wrong with it; it never has the hash.
func userLine(line string) (user string, hash rules.Hash, why string) {
	user, text, ok := strings.Cut(line, ":")
	if !ok {
		return "", "", "the line is not NAME:HASH: make it with htpasswd -nB NAME"
	}
	if why = rules.CheckUser(user); why != "" {
		return "", "", why
	}
	cost, err := bcrypt.Cost([]byte(text))
	switch {
	case len(text) != 60 || err != nil || !strings.HasPrefix(text, "$2"):
		return "", "", "user " + user + ": the hash is not bcrypt (60 octets that begin with $2): make it with htpasswd -nB " + user
	case cost > maxCost:
		return "", "", "user " + user + ": the cost of the hash is above 14, so each login would keep a processor for seconds: make it with htpasswd -nB -C 10 " + user
	}
	return user, rules.Hash(text), ""
}

// clear returns a listener without TLS that other hosts can reach and that reads passwords; "" if
// there is none.
func (c *Config) clear() string {
	for _, a := range c.Listen.HTTP {
		if !a.Addr().IsLoopback() {
			return "[listen] http " + a.String()
		}
	}
	for _, a := range c.Listen.SOCKS5 {
		if !a.Addr().IsLoopback() {
			return "[listen] socks5 " + a.String()
		}
	}
	return ""
}
