// Test that the tables of prefixes stay hidden from the packages that use a configuration or
// a policy.

package site

import (
	"reflect"
	"strings"
	"testing"

	"sallyport/rules"
)

// A package that can see a generic table of bart in the fields of a type compiles a copy of
// all of bart. With more than forty packages, that is a quarter of the time of a cold build.
func TestPrefixTablesAreHidden(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type, string)
	walk = func(is reflect.Type, path string) {
		if seen[is] {
			return
		}
		seen[is] = true
		if strings.Contains(is.PkgPath(), "gaissmai/bart") {
			t.Errorf("%s is a %v: hide it like rules.hiddenTable", path, is)
			return
		}
		switch is.Kind() {
		case reflect.Struct:
			for i := range is.NumField() {
				walk(is.Field(i).Type, path+"."+is.Field(i).Name)
			}
		case reflect.Map:
			walk(is.Key(), path+" key")
			walk(is.Elem(), path)
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Chan:
			walk(is.Elem(), path)
		}
	}
	walk(reflect.TypeFor[Config](), "Config")
	walk(reflect.TypeFor[rules.Policy](), "Policy")
	if len(seen) < 50 {
		t.Errorf("only %d types were looked at", len(seen))
	}
}
