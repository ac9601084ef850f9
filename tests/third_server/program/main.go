// A third agent server, for the conformance suite's own tests: the oss profile, kept in memory, written from the
// contract's pages alone. Each defect of `defects.go` can be planted in it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoregistry"
)

const (
	requestBytesMax = 10 << 20
	drainLimit      = time.Second
)

func main() {
	planted := defects{}
	port := flag.Int("port", 0, "port to listen on, on loopback; 0: any free one")
	flag.Var(planted, "defect", "what to plant; may be repeated")
	flag.Parse()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	server := newServer(planted)
	fmt.Printf("listening on %s\n", listener.Addr())
	go stopOnSignal(server)
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}

func stopOnSignal(server *grpc.Server) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	// A watch that nobody ends must not keep the server from ending.
	time.AfterFunc(drainLimit, server.Stop)
	server.GracefulStop()
}

func newServer(planted defects) *grpc.Server {
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(requestBytesMax), grpc.UnaryInterceptor(refusals(planted))}
	schema := protoregistry.GlobalFiles
	if planted[olderSubAgents] {
		schema = olderSchema()
		options = append(options, grpc.ForceServerCodecV2(newOlderCodec(schema)))
	}
	server := grpc.NewServer(options...)
	register(server, &service{store: newStore(planted), planted: planted})
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	told := reflection.ServerOptions{Services: server, DescriptorResolver: schema}
	reflectionv1.RegisterServerReflectionServer(server, reflection.NewServerV1(told))
	reflectionv1alpha.RegisterServerReflectionServer(server, reflection.NewServer(told))
	return server
}

// Turns what handlers return into what callers see.
func refusals(planted defects) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		answer, err := handler(ctx, request)
		if err == nil {
			return answer, nil
		}
		var stored *storeError
		if errors.As(err, &stored) {
			code := stored.code
			if planted[storeErrorsNotFound] {
				code = codes.NotFound
			}
			err = status.Error(code, shortened(stored.Error()))
		}
		if planted[refusalsUnknown] {
			return nil, errors.New(status.Convert(err).Message())
		}
		return nil, err
	}
}
