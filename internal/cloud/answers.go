package cloud

import "strings"

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

// Interpret returns the first row that covers an answer, and its index. The index is -1 if none does; then the row
// has the kind of the HTTP status.
func Interpret(rows []Meaning, a *Answer, op string) (Meaning, int) {
	for i := range rows {
		if rows[i].covers(a, op) {
			return rows[i], i
		}
	}
	return Meaning{Kind: ClassifyStatus(a.Status)}, -1
}
