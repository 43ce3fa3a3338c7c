package daemon

import (
	"cmp"
	"errors"
	"maps"
	"net/url"
	"strings"
	"syscall"
	"unicode"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/store"
)

// causeOf returns a text that is equal for archives whose runs failed for the same reason. A failure of a provider has
// its kind and the provider, not the bucket: an outage concerns all of them.
func causeOf(one *config.Archive, err error) string {
	if refused, ok := errors.AsType[*archive.Refusal](err); ok {
		return "guard " + string(refused.Guard)
	}
	if errors.Is(err, store.ErrGone) {
		return "gone"
	}
	if failed, ok := errors.AsType[*providers.Error](err); ok && failed.Kind.Word() != "" && failed.Kind.Word() != "other" {
		return failed.Kind.Word() + " at " + providerOf(one.Destination)
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	return commonWords(err.Error())
}

// providerOf returns the scheme of a destination, and its endpoint or account if it names one.
func providerOf(destination string) string {
	u, err := url.Parse(destination)
	if err != nil {
		return ""
	}
	q := u.Query()
	return u.Scheme + " " + cmp.Or(q.Get("endpoint"), q.Get("account"), q.Get("region"))
}

// commonWords returns the words of an error's first line that do not depend on the archive: no paths, keys and
// numbers.
func commonWords(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	var words []string
	for word := range strings.FieldsSeq(line) {
		if !strings.ContainsFunc(word, func(r rune) bool { return unicode.IsDigit(r) || strings.ContainsRune("/@_\"'`", r) }) {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// noteCause records the cause of a failure. The map is replaced: a successor of k may share the old one.
func (k *managedArchive) noteCause(task, cause string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	causes := maps.Clone(k.known.causes)
	if causes == nil {
		causes = map[string]string{}
	}
	causes[task] = cause
	k.known.causes = causes
}
