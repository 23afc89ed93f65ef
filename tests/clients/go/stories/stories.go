// Package stories runs the stories of a client in their order, and says of each that it went as it should.
package stories

import (
	"crypto/rand"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"
)

// Story returns a story; it panics where something is not as it should be.
func Story(name string, tell func()) func() {
	return func() {
		tell()
		fmt.Println(name)
	}
}

// Run runs stories.
func Run(all ...func()) {
	for _, story := range all {
		story()
	}
}

// NewID returns an id that nothing has.
func NewID() string { return "story-" + strings.ToLower(rand.Text()[:12]) }

// Setting returns a variable of the environment, which must be set.
func Setting(name string) string {
	value := os.Getenv(name)
	Check(value != "", name)
	return value
}

// Check panics with what was found unless it is so.
func Check(isSo bool, found any) {
	if !isSo {
		panic(fmt.Sprintf("%+v", found))
	}
}

// Equal panics unless two values are the same.
func Equal(found, expected any) {
	Check(reflect.DeepEqual(found, expected), fmt.Sprintf("%+v, and not %+v", found, expected))
}

// Must returns a value, and panics if there is an error.
func Must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// Until asks until it is so.
func Until[T any](ask func() T, isSo func(T) bool) T {
	for range 600 {
		if answer := ask(); isSo(answer) {
			return answer
		}
		time.Sleep(100 * time.Millisecond)
	}
	panic("it never came to be so")
}
