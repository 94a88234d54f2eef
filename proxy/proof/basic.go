// Basic: the user and the password in an Authorization field (RFC 7617).

package proof

import (
	"encoding/base64"
	"strings"

	"sallyport/rules"
)

// Bounds of credentials.
const (
	maxBasic    = 1024 // octets of the field
	maxPassword = 72   // bcrypt reads no more
)

// ParseBasic reads the value of a Proxy-Authorization field. fault is why it has no user and
// password, for people; it never has a part of them.
func ParseBasic(field string) (user, password, fault string) {
	scheme, rest, _ := strings.Cut(field, " ")
	switch {
	case !strings.EqualFold(scheme, "Basic"):
		return "", "", "only Basic is accepted: RFC 7617"
	case len(rest) > maxBasic:
		return "", "", "the credentials are longer than 1024 octets"
	}
	text, err := base64.StdEncoding.Strict().DecodeString(strings.Trim(rest, " "))
	if err != nil {
		return "", "", "the credentials are not base64"
	}
	user, password, ok := strings.Cut(string(text), ":")
	if !ok {
		return "", "", "the credentials have no colon"
	}
	return user, password, CheckLogin(user, password)
}

// CheckLogin returns why a user and a password cannot be valid; "" if they can be.
func CheckLogin(user, password string) string {
	switch {
	case rules.CheckUser(user) != "":
		return rules.CheckUser(user)
	case password == "":
		return "the password is empty"
	case len(password) > maxPassword:
		return "the password has more than 72 octets, which bcrypt does not read"
	case strings.IndexByte(password, 0) >= 0:
		return "the password has a NUL octet"
	}
	return ""
}
