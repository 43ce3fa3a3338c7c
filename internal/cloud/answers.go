package cloud

import (
	"net/http"
	"strings"
)

// Answer is an error answer of a service.
type Answer struct {
	Status int    // of HTTP; 0 if there was none
	Code   string // the service's code; empty if the body is not in the service's format
	Text   string // the message
}

// Meaning is a row of a table of answers: the answers that it covers, and what they mean.
type Meaning struct {
	Status int    // of HTTP; 0 covers each
	Code   string // the code, in any letter case, or its beginning and a "*"; "" covers each
	Text   string // a part of the message, in lower case; "" covers each
	Op     string // Error.Op; "" covers each
	Kind   Kind
	Advice string // what to do; "" leaves that to the kind
}

// covers reports whether a row is about an answer. op may be empty: then rows for one operation do not cover it.
func (m *Meaning) covers(a *Answer, op string) bool {
	code, isPrefix := strings.CutSuffix(m.Code, "*")
	switch {
	case m.Status != 0 && m.Status != a.Status, m.Op != "" && m.Op != op:
		return false
	case isPrefix:
		if len(a.Code) < len(code) || !strings.EqualFold(a.Code[:len(code)], code) {
			return false
		}
	case code != "" && !strings.EqualFold(code, a.Code):
		return false
	}
	return strings.Contains(strings.ToLower(a.Text), m.Text)
}

// laterAdvice is what to do about a service's own fault, after all attempts.
const laterAdvice = "this is a fault of the service; try again later"

// Interpret returns the first row that covers an answer, and its index. The index is -1 if none does; then the row
// has the kind of the HTTP status.
func Interpret(rows []Meaning, a *Answer, op string) (Meaning, int) {
	for i := range rows {
		if rows[i].covers(a, op) {
			return rows[i], i
		}
	}
	m := Meaning{Kind: ClassifyStatus(a.Status)}
	if m.Kind == Other && a.Status >= http.StatusInternalServerError && a.Code != "" { // otherwise a proxy may have answered
		m.Advice = laterAdvice
	}
	return m, -1
}
