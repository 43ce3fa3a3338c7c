package cloud

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net/url"
	"strings"

	"gocloud.dev/gcerrors"
)

// Dialect interprets the errors of one service. Its functions may be nil. The zero Dialect interprets the
// errors of the operating system and of the network.
type Dialect struct {
	// Answer returns an error answer of the service, and false for any other error.
	Answer func(err error) (Answer, bool)
	// Answers is the table of the service's answers. The first row that covers an answer counts.
	Answers []Meaning
	// Sort returns the kind of an error that is no answer of the service, and Other if the error is unknown.
	Sort func(err error) Kind
	// Reason returns the text of an error of the service without the request details in which the SDKs
	// wrap it. It returns false for any other error.
	Reason func(err error) (string, bool)
	// Advise returns what to do about a failure of a kind, if neither the row of Answers nor the operating system
	// has an advice. If it returns "", the general advice is used.
	Advise func(e *Error) string
	// Permissions are the permissions that an operation needs, by Error.Op.
	Permissions map[string]string
}

// Wrap returns the error of a failed operation as an *Error. It returns an *Error, and nil, unchanged.
func (d *Dialect) Wrap(where, op, key string, err error) error {
	return d.WrapFor(where, op, key, d.Permissions[op], err)
}

// WrapFor does the same as Wrap, for an operation that needs another permission than Permissions has.
func (d *Dialect) WrapFor(where, op, key, permission string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := &Error{Op: op, Key: key, Where: where, Kind: d.Classify(err), Advice: systemAdvice(err), Err: err}
	e.reason = strings.ReplaceAll(d.reasonOf(err), "\n"+ErrBudget.Error(), "") // errors.Join's
	if errors.Is(err, ErrWebPage) {
		e.Advice = proxyAdvice
	}
	if m, ok := d.meaning(err, op); ok {
		e.Kind, e.Advice = m.Kind, cmp.Or(m.Advice, e.Advice)
	}
	if e.Advice == "" && d.Advise != nil {
		e.Advice = d.Advise(e)
	}
	if e.Advice == "" {
		e.Advice = generalAdvice(e.Kind, permission)
	}
	return e
}

// meaning returns the row for an answer of the service. It returns false for any other error, and if the kind of
// the error does not depend on the service.
func (d *Dialect) meaning(err error, op string) (Meaning, bool) {
	if d.Answer == nil || errors.Is(err, context.Canceled) || errors.As(err, new(*BodyError)) {
		return Meaning{}, false
	}
	a, ok := d.Answer(err)
	if !ok {
		return Meaning{}, false
	}
	m, _ := Interpret(d.Answers, &a, op)
	return m, true
}

// Classify returns the kind of an error. gocloud's own codes are too coarse: throttling, bad signatures and
// refused connections are all Unknown.
func (d *Dialect) Classify(err error) Kind {
	switch {
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, fs.ErrPermission):
		return Denied
	case errors.Is(err, fs.ErrNotExist):
		return NotFound
	}
	if m, ok := d.meaning(err, ""); ok {
		return m.Kind
	}
	if d.Sort != nil {
		if k := d.Sort(err); k != Other {
			return k
		}
	}
	if gcerrors.Code(err) == gcerrors.NotFound {
		return NotFound
	}
	return classifyNetwork(err)
}

// KindOf returns the kind of an error that may be nil, or an *Error already. The kind of nil is Other.
func (d *Dialect) KindOf(err error) Kind {
	if err == nil {
		return Other
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return d.Classify(err)
}

// reasonOf returns the cause in few words.
func (d *Dialect) reasonOf(err error) string {
	if d.Reason != nil {
		if s, ok := d.Reason(err); ok {
			return s
		}
	}
	var u *url.Error
	if errors.As(err, &u) { // net/http wraps its errors in the whole URL
		return u.Err.Error()
	}
	return err.Error()
}

// generalAdvice returns what to do about a failure at any service. permission is what the operation needs;
// it may be empty.
func generalAdvice(k Kind, permission string) string {
	switch k {
	case NoBucket:
		return "create it, or correct the URL"
	case Denied:
		if permission != "" {
			return "the credentials need the permission " + permission
		}
	case Throttled:
		return "the service is overloaded or under maintenance; try again later, or with fewer transfers"
	case Protected:
		return "a lock, hold or retention protects the object; it can be deleted once that has ended"
	case Frozen:
		return "the object is in an archive class; thaw it at the provider, which may take hours, " +
			"and run the same command again"
	case Busy:
		return "another request for the object was under way; try again later"
	case Broken:
		return "the connection broke; try again, and check the network and the proxies on the way"
	case TimedOut:
		return "the service did not answer in time; try again later"
	}
	return ""
}
