package redact

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	word     = regexp.MustCompile(`^[A-Za-z0-9_-]{0,32}$`) // the secret of a key is longer
	truth    = regexp.MustCompile(`^[A-Za-z0-9]{0,5}$`)
	hostPort = regexp.MustCompile(`^[A-Za-z0-9._-]*(:[0-9]+)?$`)
	service  = regexp.MustCompile(`^https?://[A-Za-z0-9._\[\]:-]+(/[A-Za-z0-9._~/-]*)?$`)
	period   = regexp.MustCompile(`^[0-9a-z.]{0,16}$`)
	named    = regexp.MustCompile(`^[A-Za-z0-9._ -]{0,32}$`)
	kmsKey   = regexp.MustCompile(`^(arn:aws[a-z-]*:kms:[A-Za-z0-9:/_-]*|alias/[A-Za-z0-9/_-]+|(mrk-)?[0-9a-f-]{32,36}|[A-Za-z0-9_-]{0,32})$`)
	kmsType  = regexp.MustCompile(`^[A-Za-z0-9:]{0,16}$`)
)

// values has the form of the values of each parameter of an archive's URL. Anything else may be a secret, or may have one
// behind a mistyped "&".
var values = map[string]*regexp.Regexp{
	"region": word, "endpoint": service, "use_path_style": truth, "dualstack": truth, "requester_pays": truth,
	"profile": named, "anonymous": truth, "ssetype": kmsType, "kmskeyid": kmsKey, "storage_class": word, "access_tier": word, "checksum": word,
	"create_only": truth, "conditional_delete": truth, "versions": truth, "lock": word, "lock_for": period,
	"legal_hold": truth, "account": word, "domain": hostPort, "protocol": word, "localemu": truth,
}

// IsKnown reports whether the values of a parameter can be shown, if they have its form.
func IsKnown(parameter string) bool { return values[parameter] != nil }

// Value returns the value of a parameter for a message, in quotes.
func Value(parameter, value string) string {
	if isHarmless(parameter, value) {
		return strconv.Quote(value)
	}
	return "not shown here"
}

func isHarmless(parameter, value string) bool {
	form := values[parameter]
	if form == nil || !form.MatchString(value) {
		return false
	}
	_, err := url.Parse(value) // what follows a host's colon must be a port
	return parameter != "endpoint" || err == nil
}

// wasHarmless is isHarmless by the rules of Former.
func wasHarmless(parameter, value string) bool {
	switch parameter {
	case "endpoint", "domain":
		return value != "" && isHarmless(parameter, value)
	}
	return !strings.ContainsAny(value, "@?#;=&")
}

// values redacts the parameters. An unknown one may be a part of a secret with an "&", and so may be all others then;
// the first one's name is shown, so that a user recognizes the parameter. A fragment may be the end of a value.
func (r *redactor) values(query string) string {
	query, fragment, isCut := strings.Cut(query, "#")
	if isCut {
		r.hide(fragment)
	}
	pairs := strings.Split(query, "&")
	hasUnknown := isCut || !r.isFormer && slices.ContainsFunc(pairs, func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return pair != "" && !IsKnown(name)
	})
	for i, pair := range pairs {
		name, value, hasValue := strings.Cut(pair, "=")
		isShown := isHarmless(name, decoded(value)) && !hasUnknown
		if r.isFormer {
			isShown = wasHarmless(name, decoded(value))
		}
		switch {
		case pair == "" || pair == Mark || value == Mark && isName(name):
		case IsKnown(name) && isShown:
		case IsKnown(name), hasValue && isName(name) && (r.isFormer || i == 0 && len(r.hidden) == 0):
			pairs[i] = name + "=" + r.hide(value)
		default:
			pairs[i] = r.hide(pair)
		}
	}
	return strings.Join(pairs, "&")
}

// Name returns the name of a parameter for a message.
func Name(parameter string) string {
	if !isName(parameter) {
		return "(not shown)"
	}
	return parameter
}

func isName(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && s[i] != '_' && s[i] != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 30
}
