package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/service/web"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// certificateNotice is how long before its end check reports a certificate. Most are renewed 30 days before.
const certificateNotice = 14 * 24 * time.Hour

// errNoService is returned by a check whose only failures are of the section http.
var errNoService = errors.New("the http section of the configuration does not work as it is; see the lines marked failed")

// An httpReport is what check prints about the section http of the configuration.
type httpReport struct {
	Listen   string               `json:"listen"`
	Findings []storecheck.Finding `json:"findings"`
}

// checkService checks the section http of the configuration, if there is one, and adds the result to the first of the
// reports. It returns whether nothing failed.
func (a *app) checkService(ctx context.Context, reports []checkReport) (bool, error) {
	c, err := a.config()
	if err != nil || c.HTTP == nil || len(reports) == 0 {
		return true, err
	}
	r := checkHTTP(ctx, c, a.checkOutput())
	if ctx.Err() != nil {
		return false, fmt.Errorf("checking the section http: %w", context.Cause(ctx))
	}
	reports[0].HTTP = r
	return !slices.ContainsFunc(r.Findings, func(f storecheck.Finding) bool { return f.Result == storecheck.Failed }), nil
}

// checkHTTP checks what the service reads of the section http at its start, and prints each finding at once.
func checkHTTP(ctx context.Context, c *config.Config, out io.Writer) *httpReport {
	h := c.HTTP
	r := &httpReport{Listen: h.Listen, Findings: []storecheck.Finding{}}
	report := func(probe string, f storecheck.Finding) {
		f.Probe = probe
		addFinding(out, &r.Findings, f)
	}
	fmt.Fprintf(out, "http:\n  listen %s\n", h.Listen)
	report("listen", listenFinding(ctx, c))
	report("token", tokenFinding(ctx, h.TokenFile))
	if h.CertFile != "" {
		report("certificate", certificateFinding(ctx, h, time.Now()))
	}
	return r
}

// listenFinding opens the address of the service for a moment. If it is in use, the finding names what uses it.
func listenFinding(ctx context.Context, c *config.Config) storecheck.Finding {
	o := web.Options{Listen: c.HTTP.Listen}
	if c.HTTP.TokenFile != "" {
		o.Token = "its content has a finding of its own"
	}
	page, err := web.New(nil, o)
	if err != nil {
		return storecheck.Fail("", "%v", err)
	}
	l, err := page.Listen(ctx)
	if errors.Is(err, syscall.EADDRINUSE) {
		return occupiedFinding(ctx, c)
	}
	if err != nil {
		return storecheck.Fail("set http.listen to an address of this host, with a port that its user may open", "%v", err)
	}
	if err := l.Close(); err != nil {
		return storecheck.Fail("", "closing the address %s: %v", c.HTTP.Listen, err)
	}
	return storecheck.Finding{Result: storecheck.Good, Detail: "the address is free"}
}

// occupiedFinding reports which program has the address of the service: the service of this configuration, or another.
func occupiedFinding(ctx context.Context, c *config.Config) storecheck.Finding {
	const advice = "stop the program that has it, or set http.listen to another address"
	s, err := askService(ctx, c.HTTP)
	if errors.Is(err, errOtherScheme) {
		return storecheck.Fail("", "%v", err)
	}
	if err != nil {
		return storecheck.Fail(advice, "the address is in use, and no service of this configuration responds there: %v", err)
	}
	isOwn := func(one archiveStatus) bool {
		return slices.ContainsFunc(c.Archives, func(own config.Archive) bool { return own.Name == one.Name })
	}
	if !slices.ContainsFunc(s.Archives, isOwn) {
		return storecheck.Fail(advice, "the address is in use by a service that has no archive of this configuration")
	}
	return storecheck.Finding{Result: storecheck.Good, Detail: "the service of this configuration runs there"}
}

// tokenFinding checks the token as the service does.
func tokenFinding(ctx context.Context, file string) storecheck.Finding {
	if _, err := readToken(ctx, file); err != nil {
		return storecheck.Fail("", "%v", err)
	}
	if file == "" {
		return storecheck.Finding{Result: storecheck.Good, Detail: "there is no token_file: the service accepts no request to start a run"}
	}
	return storecheck.Finding{Result: storecheck.Good, Detail: "the token in " + file + " starts runs"}
}

// certificateFinding checks the certificate, its key, and the times of the whole chain.
func certificateFinding(ctx context.Context, h *config.HTTP, now time.Time) storecheck.Finding {
	pair, err := web.ReadCertificate(ctx, h.CertFile, h.KeyFile)
	if err != nil {
		return storecheck.Fail("", "%v", err)
	}
	begins, ends, err := validity(pair)
	if err != nil {
		return storecheck.Fail("", "http: reading the certificate %s: %v", h.CertFile, err)
	}
	const advice = "renew it; the service uses the new files without a restart"
	switch {
	case now.Before(begins):
		return storecheck.Fail("check the clock of this host, or use another certificate",
			"%s is not valid before %s", h.CertFile, stamp(begins))
	case now.After(ends):
		return storecheck.Fail(advice, "%s expired at %s, so browsers and monitors refuse it", h.CertFile, stamp(ends))
	case ends.Sub(now) < certificateNotice:
		return storecheck.Finding{Result: storecheck.Note, Advice: advice, Detail: h.CertFile + " expires soon, at " + stamp(ends)}
	}
	return storecheck.Finding{Result: storecheck.Good, Detail: h.CertFile + " is valid until " + stamp(ends)}
}

// validity returns when all certificates of a chain are valid.
func validity(pair *tls.Certificate) (begins, ends time.Time, err error) {
	for i, der := range pair.Certificate {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return begins, ends, err
		}
		if i == 0 || one.NotBefore.After(begins) {
			begins = one.NotBefore
		}
		if i == 0 || one.NotAfter.Before(ends) {
			ends = one.NotAfter
		}
	}
	return begins, ends, nil
}
