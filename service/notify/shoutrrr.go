package notify

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// hideTitle are the services that take no title and fail with one.
var hideTitle = []string{"googlechat", "hangouts", "rocketchat", "signal", "wecom", "pagerduty"}

// library sends by one of shoutrrr's services.
type library struct {
	service types.Service
	shown   string // fit for errors
	titled  bool
	secrets *regexp.Regexp
	archive string
	calls   chan struct{} // holds one element for each call that goes on
}

// maxCalls bounds the calls to one target that hang. Some services cannot be cut off.
const maxCalls = 4

// shoutrrr returns how to send by shoutrrr. The errors show nothing of the target.
func shoutrrr(raw string, u *url.URL, o Options) (func(context.Context, message) error, error) {
	name, _, _ := strings.Cut(u.Scheme, "+")
	l := &library{
		shown:   Redact(raw),
		titled:  !slices.Contains(hideTitle, name),
		secrets: secrets(raw, u),
		archive: o.Archive,
		calls:   make(chan struct{}, maxCalls),
	}
	var err error
	if l.service, err = service(name, u, l.secrets); err != nil {
		return nil, err
	}
	return l.send, nil
}

// service makes the service that a URL means. It does what the library's router does,
// which hides the reasons of errors.
func service(name string, u *url.URL, secrets *regexp.Regexp) (s types.Service, err error) {
	wrong := func(err error) error {
		return fmt.Errorf("the service %s does not take it: %s; see the description of its URLs at shoutrrr.nickfedor.com", name, scrub(err.Error(), secrets))
	}
	s, err = (&router.ServiceRouter{}).NewService(name)
	if err != nil || name == "logger" {
		return nil, errors.New("no service has this scheme; write https:// (heartbeat), webhook+https://, or a shoutrrr URL such as slack://, telegram:// or smtp://")
	}
	if u.Scheme != name {
		custom, ok := s.(types.CustomURLService)
		if !ok {
			return nil, wrong(errors.New("it takes no other scheme after a +"))
		}
		if u, err = converted(custom, u); err != nil {
			return nil, wrong(err)
		}
	}
	if err := initialized(s, u); err != nil {
		return nil, wrong(err)
	}
	return s, nil
}

func converted(s types.CustomURLService, u *url.URL) (_ *url.URL, err error) {
	defer rescue(&err)
	return s.GetConfigURLFromCustom(u)
}

func initialized(s types.Service, u *url.URL) (err error) {
	defer rescue(&err)
	return s.Initialize(u, nil)
}

// send sends one message. The library knows no contexts: a call that outlives ctx is left
// to itself, and it may still arrive.
func (l *library) send(ctx context.Context, m message) error {
	select {
	case l.calls <- struct{}{}:
	default:
		return fmt.Errorf("%s: %d earlier calls to it still hang", l.shown, maxCalls)
	}
	title, text := compose(l.archive, m)
	params := types.Params{}
	if l.titled {
		params.SetTitle(title)
	}
	result := make(chan error, 1)
	go func() {
		err := l.call(text, &params)
		<-l.calls
		result <- err
	}()
	select {
	case err := <-result:
		if err != nil {
			return fmt.Errorf("%s: %s", l.shown, scrub(err.Error(), l.secrets))
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: it does not answer; %w", l.shown, errUncertain)
	}
}

// call keeps a fault of the library from ending the service.
func (l *library) call(text string, params *types.Params) (err error) {
	defer rescue(&err)
	return l.service.Send(text, params)
}

func rescue(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the library shoutrrr failed: %v", p)
	}
}
