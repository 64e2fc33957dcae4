import { expect, test } from 'vitest';
import { newConnection } from './connection';

test('losing the hub is told once, and so is finding it again', () => {
  const connection = newConnection();
  const told: boolean[] = [];
  const stop = connection.subscribe(() => told.push(connection.isLost()));
  connection.reached();
  connection.lost();
  connection.lost();
  connection.reached();
  stop();
  connection.lost();
  expect(told).toEqual([true, false]);
});
