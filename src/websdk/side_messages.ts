import type { ClientMessage, ServerMessage } from "./wire.ts";

/**
 * What stands on the socket beside sessions and calls. Streams and rooms are not served: who asks
 * gets the answer that lets an application go on, the rest is ignored.
 *
 * @returns the answers, or undefined: the message is no side message
 */
export function answerSideMessage(message: ClientMessage): readonly ServerMessage[] | undefined {
  switch (message.message) {
    case "publishStream":
    case "playStream":
      return [{
        message: "notifyStreamStatusEvent",
        data: [{
          ...message.data,
          published: message.message === "publishStream",
          status: "FAILED",
          info: "This server serves calls, and no streams",
        }],
      }];
    case "unPublishStream":
      return [{
        message: "notifyStreamStatusEvent",
        data: [{ ...message.data, published: true, status: "UNPUBLISHED" }],
      }];
    case "stopStream":
      return [{
        message: "notifyStreamStatusEvent",
        data: [{ ...message.data, published: false, status: "STOPPED" }],
      }];
    case "availableStream":
      return [{
        message: "availableStream",
        data: [{ id: message.data.mediaSessionId, status: "false", info: "Stream not found" }],
      }];
    case "sendData":
      // Any status but ACCEPTED and FAILED throws in the SDK; the room API rides on this.
      return [{
        message: "DataStatusEvent",
        data: [{ operationId: message.data.operationId, status: "ACCEPTED" }],
      }];
    case "snapshot":
    case "sendStreamEvent":
    case "pauseStream":
    case "requestStreamInfo":
    case "DataStatusEvent":
    case "sessionDebug":
    case "pushLogs":
    case "submitBugReport":
    case "webRTCMetricsClientDescription":
    case "webRTCMetricsBatch":
    case "subscribeRoom":
    case "unsubscribeRoom":
    case "sendRoomData":
      return [];
    default:
      return undefined;
  }
}
