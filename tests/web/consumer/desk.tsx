// The elements in the JSX of React.

import { type Client } from "tidings";
import { TidingsProvider, useConnection } from "tidings/react";

export function Desk({ client }: { client: Client }) {
  const { connection } = useConnection(client);
  return (
    <TidingsProvider client={client}>
      <p>{connection}</p>
      <tidings-bell client={client} lang="de" time-zone="Europe/Berlin" ontidings-toggle={({ detail }) => console.log(detail.open)} />
      <tidings-toasts client={client} placement="top-right" max={3} ontidings-open-item={(event) => event.preventDefault()} />
      <tidings-settings client={client} className="wide" />
      {/* @ts-expect-error there is no such attribute */}
      <tidings-toasts place="top" />
    </TidingsProvider>
  );
}
