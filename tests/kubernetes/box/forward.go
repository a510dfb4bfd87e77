package main

import (
	"io"
	"net"
)

// forward LISTEN TARGET [LISTEN TARGET]... relays TCP from one loopback address to another. A Service with a fixed clusterIP is served that
// way, since nothing here programs the machine's packet filter.
func forward(pairs []string) {
	if len(pairs) == 0 || len(pairs)%2 != 0 {
		fail("usage: kubernetes-box forward LISTEN TARGET [LISTEN TARGET]...")
	}
	for i := 0; i < len(pairs); i += 2 {
		listener, err := net.Listen("tcp", pairs[i])
		if err != nil {
			fail(err)
		}
		go accept(listener, pairs[i+1])
	}
	select {}
}

func accept(listener net.Listener, target string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go relay(client.(*net.TCPConn), target)
	}
}

func relay(client *net.TCPConn, target string) {
	defer client.Close()
	connection, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	server := connection.(*net.TCPConn)
	defer server.Close()
	sent := make(chan struct{})
	go func() {
		io.Copy(server, client)
		server.CloseWrite()
		close(sent)
	}()
	io.Copy(client, server)
	client.CloseWrite()
	<-sent
}
