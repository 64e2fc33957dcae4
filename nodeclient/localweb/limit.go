package localweb

import (
	"net"
	"sync"
)

// maxConnections bounds what strangers in the network can hold open.
const maxConnections = 128

// limited closes what comes in beyond maxConnections.
func limited(l net.Listener) net.Listener {
	return &counted{Listener: l, open: make(chan struct{}, maxConnections)}
}

type counted struct {
	net.Listener
	open chan struct{}
}

// Accept answers the next connection that there is room for.
func (l *counted) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.open <- struct{}{}:
			return &held{Conn: c, free: sync.OnceFunc(func() { <-l.open })}, nil
		default:
			_ = c.Close()
		}
	}
}

type held struct {
	net.Conn
	free func()
}

// Close gives the place to the next.
func (c *held) Close() error {
	c.free()
	return c.Conn.Close()
}
