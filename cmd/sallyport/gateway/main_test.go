package gateway

import (
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	syscall.Umask(0o022) // only the owner may write the tests' files, whatever the umask of the login is
	goleak.VerifyTestMain(m)
}
