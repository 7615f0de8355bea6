// Package egress connects to where configuration says, but never to where
// clouds keep the credentials of their machines, whatever a name resolves to.
// It refuses to decide what else may be reached: receivers and metrics often
// stand on this machine or in a private network.
package egress

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// ErrRefused is the error of a connection that is not made.
var ErrRefused = errors.New("link-local and metadata addresses are not asked")

// metadata are the addresses of AWS's services for machines that are not
// link-local, as those of IPv6.
var metadata = netip.MustParsePrefix("fd00:ec2::/32")

// Dialer connects within timeout. What it connects to is looked at once the
// name is resolved, so that no answer of DNS leads past it.
func Dialer(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, Control: refuse}
}

// Transport is Go's usual one over a Dialer.
func Transport(timeout time.Duration) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = Dialer(timeout).DialContext
	return t
}

func refuse(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	ip := to.Addr().Unmap().WithZone("")
	if ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() || ip.IsInterfaceLocalMulticast() || ip.IsUnspecified() || metadata.Contains(ip) {
		return ErrRefused
	}
	return nil
}
