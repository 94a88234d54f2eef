// Readable: how a secret is given to the user of sallyport and to no other.

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
)

// toBeReadable is the cure, to be put behind err, where this user may not read a
// file; "": err is another one.
func toBeReadable(err error, file string) string {
	if !errors.Is(err, fs.ErrPermission) {
		return ""
	}
	return fmt.Sprintf(": as root: chgrp %s %s && chmod 640 %[2]s", ownGroup(), file)
}

// ownGroup is the group of this process, by name where it has one.
func ownGroup() string {
	id := strconv.Itoa(os.Getegid())
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}
