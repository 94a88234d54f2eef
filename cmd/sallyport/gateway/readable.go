// Readable: makes a secret readable for the user of sallyport only.

package gateway

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
)

// ToBeReadable returns the remedy to append to err if this user may not read a
// file; "" for any other error.
func ToBeReadable(err error, file string) string {
	if !errors.Is(err, fs.ErrPermission) {
		return ""
	}
	return fmt.Sprintf(": as root: chgrp %s %s && chmod 640 %[2]s", ownGroup(), file)
}

// ownGroup returns the name of this process's group, or its number.
func ownGroup() string {
	id := strconv.Itoa(os.Getegid())
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}
