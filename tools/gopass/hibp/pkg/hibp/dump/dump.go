// Package dump stands in for gopass-hibp's: the tests have no breach dumps.
package dump

import (
	"context"
	"errors"
)

// Scanner finds nothing.
type Scanner struct{}

// New always fails: there are no dumps.
func New(...string) (*Scanner, error) {
	return nil, errors.New("no dumps in tests")
}

// LookupBatch finds nothing.
func (*Scanner) LookupBatch(context.Context, []string) []string {
	return nil
}
