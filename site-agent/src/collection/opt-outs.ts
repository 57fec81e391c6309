import type { PreparedStatements } from './prepared-statements.js';

/** Patients and files that never take part again, as salted hashes only. They stay when files go and come back. */
export class OptOuts {
  constructor(private readonly database: PreparedStatements) {}

  has(hash: string): boolean {
    return this.database.prepare('SELECT 1 FROM collection_forgotten WHERE hash = ?').get(hash) !== undefined;
  }

  add(hash: string): void {
    this.database.prepare('INSERT OR IGNORE INTO collection_forgotten VALUES (?)').run(hash);
  }

  count(): number {
    return (this.database.prepare('SELECT COUNT(*) AS count FROM collection_forgotten').get() as { count: number }).count;
  }
}
